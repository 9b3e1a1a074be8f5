-- A queue made and filled by 2026.11.4: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 09:27:57.089364+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 09:27:57.089743+00:00');
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
INSERT INTO "captures" VALUES(1,'ae57172e-a41e-4526-8fed-80d8255bcef9','8e82d710-114d-48d2-96a7-da993e3602b4',1,'2702c1d58103710f91c2e8d42428aadb80e4b21d5d31c5e47dccd36b549f0467','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'01c698123a3221563282fd9f207717dcf484cee42f13d8308416e0c8eec50570','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'b5224e8d-7898-42dd-9f1a-ffd31f7c977c','8e82d710-114d-48d2-96a7-da993e3602b4',2,'e4be7312d6324cf9ff0de4c4abe1791bd9ed8db282f7b91681e7de8f7ad55c3e','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'84dce2e62eda9c0c9165bb0345773d17beac8e2dec504748a7c5b84715f2a1dd','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'dd67e268-0d3d-43ff-b5e6-e1946db902a5','8e82d710-114d-48d2-96a7-da993e3602b4',3,'9544fc40ae3b47e4bb4a2114596ebac33a4c1291364b0c3c1f432a93e6919fa4','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'d180d52f3a3853a96ad02e314979516755b2fbed434c2ae11a119b99ecae0bab','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'af6b0bc7-e140-4e92-8fb3-5675030fac98','8e82d710-114d-48d2-96a7-da993e3602b4',4,'0f98af0183614f93ea3f5e0a12870d124362509d6a7ff4b012e0aa9c9a4628f5','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'9f21ef5db45c3d8dbe02abcdd2ce6a080c50831daa44dc064167b8ee49ae0606','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'f1ca12e7-ef82-4907-bea1-eeffa796421a','8e82d710-114d-48d2-96a7-da993e3602b4',5,'ee74e24b2b5c69e8a275617e8305fff494eeecfbf7cddd2c2ab453d28e788108','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'b8907e2f3b9e9b80cb0232c660d9678de20f1e0489b938e3cbb24a067b87d026','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'8d14b2b4-10e4-4f8c-8f18-93e032f5181f','8e82d710-114d-48d2-96a7-da993e3602b4',6,'4ac1728e4f213d2441639998d2ee81010324b75d6840802c6bf504ebefbd61e4','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'653ea5c4080fa4d7049ffceffe7fc999c0b12b10c9832013ae90b6366fcd5291','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'968f16fa-27fc-4898-95f5-16d037c92792','8e82d710-114d-48d2-96a7-da993e3602b4',7,'1eacdb1ce00f6d5a3e9a21f067c9a3d7890150a723c285d6f9373b4213d548c9','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'9785f988680ad0143d258e197939d91e7098e472fea0ba1810158ed22fa1114f','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'84f634f2-e5fe-404a-8227-53616f91963f','8e82d710-114d-48d2-96a7-da993e3602b4',8,'f48d169be36c99cdd2816b1076f4550632df4a8424531853b149dda47153ee0b','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'beb3618b91d8fce8f793823c11413468f34919d55801bd6040f2d8f5a2784baf','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'b3baa8d2-074f-482c-9164-60228a03e624','8e82d710-114d-48d2-96a7-da993e3602b4',9,'f43a81d8b44faff1c44586ecb4be741e4b9a13979ae8a94aad4578e58dcdce7c','692ed27f-2921-4dc1-9e4f-76b537d70383','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'24caba5ed1f4426f19959070d87529a263905fd050d99ddb96dec1863665d299','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'1af595c4-2906-49be-840a-d500fee0e67d','8e82d710-114d-48d2-96a7-da993e3602b4',10,'d87aeb966f3142b825a029632c0c5f8767741c62a05e74933b1659ceec2b0317','692ed27f-2921-4dc1-9e4f-76b537d70383','void','968f16fa-27fc-4898-95f5-16d037c92792','2026-12-01T09:15:02.000Z','gnss',3092,'5d29393b1aac59011ceee365a500bb7356672c3f7f29cd01d74c2704ba255178','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','8d14b2b4-10e4-4f8c-8f18-93e032f5181f');
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
