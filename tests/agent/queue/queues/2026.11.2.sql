-- A queue made and filled by 2026.11.2: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 03:12:07.586372+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 03:12:07.589915+00:00');
CREATE TABLE "captures" (
            "number" INTEGER PRIMARY KEY NOT NULL,
            "capture_id" TEXT NOT NULL,
            "chain" TEXT NOT NULL,
            "seq" INTEGER NOT NULL,
            "label_sha256" TEXT NOT NULL,
            "boot_id" TEXT NOT NULL,
            "kind" TEXT NOT NULL,
            "about" TEXT,
            "utc" TEXT NOT NULL,
            "clock" TEXT NOT NULL,
            "bytes" INTEGER NOT NULL,
            "sha256" TEXT NOT NULL,
            "state" TEXT NOT NULL,
            "adopted" INTEGER NOT NULL,
            "attempts" INTEGER NOT NULL,
            "suspected" INTEGER NOT NULL,
            "due_boot_id" TEXT NOT NULL,
            "due_s" REAL NOT NULL,
            "upload_url" TEXT,
            "answer" TEXT,
            "decision" TEXT,
            "decided_utc" TEXT
        ) STRICT
        ;
INSERT INTO "captures" VALUES(1,'853cd875-2ee6-4ce5-96f8-064d7ec808e1','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',1,'54b0ec379d1eca89507fa6ac13fac492d2f37afe72cabacce90fa6c32a27369f','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'b4d17f8996204110e660194ee47cdef3d7710db5b572ada43e84710e5cc5f36a','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'dfa82db0-cc5f-44f5-baab-fc35c55a3d79','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',2,'cee479169a33c5cea209a77250da9dcb8bc7ac2903b6f20375644625abf2aa0c','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'127a8b56fcfdc0a1b075ff62656a6016ecbcf2e643e9466cb8b26609fe95de22','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'1a4cd98a-7b30-484c-99d0-9b8c39b8e2e3','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',3,'5f888cd5b4960c692d813e42de89d49337fb59e990369dbe4d5b98bd0809b05e','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'08351290fdd59155177de0a982366790bd3d1f5f47441ce2ea7d2857f52f285d','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'5dbce02b-2d7f-459e-9b26-26d0ef5a16f3','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',4,'33988c1731a13a2bb834ed4f13a5986d8656f5a6ebc7a4cbdb08dc5fd756a4f2','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'93f8dfcc4b59c074eb254a6b1552090bc442eeac1be5d0ba4e6f1b65c7464f09','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'42f605f9-e97e-408b-b558-910eb6002018','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',5,'5bb69865bc25448a588ecae2572cf109fa4ed6f72111395f39b6bec3931be245','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'9be9a1dbaa3371f1bc3a39cd8eae90062b13bd5dd1b6e82d497d7f369a25c8f3','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'f0a4d097-fdc7-4914-8171-ea1471d69bff','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',6,'aa41304e3ddf95ea3858e262da0b4e8226473612c6ee90c7f8e5682f5d3a094e','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'71dfac05688ba8b8a21cdcfa1332a8945f832d650eb00a0780399b92dfc08b59','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'3ca7acd0-b7e5-484e-830e-b05dd3474307','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',7,'1eb70bb736c9b97fabbc672dd15eb0b79a7271b3629e2414e68f5742b0620795','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'5d15271a0e00c12307866b104fd4a20c29e6e194c34bb9222a956c28c59385f5','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'3900bc12-a779-47e0-b555-eb695a7ff01c','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',8,'77d84b0bd5b77083b21187ac2bcf6a2666bb0d1313a21c6a04759b30351811d3','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'43254a09464e027ff3585e211a9798e55de89f646202ae5cfc365235ed16344e','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'fe262f23-905e-4a0b-a468-b98d2d6d8948','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',9,'c266a03e3775e5d57515b13ef7320c22dc05366c82193c75a055c32905de22b3','39c83b59-f191-4bab-aa51-8ff291c5c698','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'45fef3452f2626a1db6b33fdac5f63561eaddc1c4851b35832fd10262d2661ca','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'06c91931-5b49-402e-b533-70ffd30a80f0','671d8a43-e65f-4fd0-a4e9-60384bbbf8c0',10,'547564dd6998a96e26c206b5b26914f35f03e755bd8bcc275bdd0ff7dcf0c238','39c83b59-f191-4bab-aa51-8ff291c5c698','void','3ca7acd0-b7e5-484e-830e-b05dd3474307','2026-12-01T09:15:02.000Z','gnss',3092,'996287f4c649a26b8496701ec3cbd04867fc40b6efcd6f78f68c0db4c49c4012','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('time_floor','2026-12-01T09:15:02.000Z');
INSERT INTO "facts" VALUES('manifest','manifest.of.today');
INSERT INTO "facts" VALUES('manifest_version','3');
CREATE TABLE "tally" (
            "state" TEXT PRIMARY KEY,
            "rows" INTEGER NOT NULL
        ) STRICT
        ;
INSERT INTO "tally" VALUES('PENDING',6);
INSERT INTO "tally" VALUES('DELIVERED',1);
INSERT INTO "tally" VALUES('PRUNED',1);
INSERT INTO "tally" VALUES('REFUSED',1);
INSERT INTO "tally" VALUES('DAMAGED',1);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX "idx_captures_capture_id"
        ON "captures" ("capture_id")
        ;
CREATE UNIQUE INDEX "idx_captures_chain_seq"
        ON "captures" ("chain", "seq")
        ;
CREATE INDEX "idx_captures_state"
        ON "captures" ("state")
        ;
CREATE INDEX "idx_captures_state_due_s"
        ON "captures" ("state", "due_s")
        ;
CREATE INDEX captures_alarming ON captures (number)
        WHERE (state IN ('REFUSED', 'DAMAGED') OR suspected > 0)
        ;
CREATE INDEX captures_suspect ON captures (number)
        WHERE state = 'PENDING' AND suspected > 0
        ;
CREATE TRIGGER captures_insert AFTER INSERT ON captures BEGIN
            UPDATE tally SET rows = rows + 1 WHERE state = NEW.state;
        END;
CREATE TRIGGER captures_update AFTER UPDATE OF state ON captures BEGIN
            UPDATE tally SET rows = rows - 1 WHERE state = OLD.state;
            UPDATE tally SET rows = rows + 1 WHERE state = NEW.state;
        END;
CREATE TRIGGER captures_delete AFTER DELETE ON captures BEGIN
            UPDATE tally SET rows = rows - 1 WHERE state = OLD.state;
        END;
