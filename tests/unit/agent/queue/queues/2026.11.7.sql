-- A queue made and filled by 2026.11.7: python -m tests.unit.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 23:11:52.713375+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 23:11:52.723788+00:00');
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
INSERT INTO "captures" VALUES(1,'e3e2281a-9247-4ec5-a534-f7caeee17e76','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',1,'7030c9e22af1ecf4d8a6d78f39cb218b1e6a15d52c10051285397188591af9a3','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'c35958a8647ce90a786fe8abc75411e8660636ad54c3d736c5b523a4c7485644','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'5e2ddfbd-b3a2-4270-956f-d7f2f7623241','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',2,'f70b936295ec813e9f3ed33485518a45fc47f3e81012aae4d1a5106a8073cdd2','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'45fabac0f60fba9099e9adcd875e0e7d6869e11b3f8c9e50fa3e53997d7529c7','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'a5e56e86-d926-43ef-b8b4-30c9081326d3','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',3,'dbc3746b631d915e227a98db5de17b7c94b8abdeea350446a38773f1c9765ada','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'527f118e5d683c179a84e24006f17869d9e3a1cedb79e9e8bbc09f0af3537d0b','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'83fd5ed7-cc99-4ee6-b811-b9d2ad21455c','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',4,'e2779e420e787d6a8005204df1c0dce0bd8bb2e6e54680b14f54393e4ce3ff20','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a886b687c269e8979ebf14b5950049acedeae97bed336de7a44b3ee68d96dce3','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'a99fa78d-49c7-40b0-9877-993e74203986','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',5,'5a270471812f211de74142af057984efad5ba16b583b00013a526fd143f2eb98','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'4a166163a988993566b855981957ede0bb40b2e2160dcc60b558292daa8f6d1d','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'c663d329-303d-4d35-81b9-975847824a3a','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',6,'a8f5cbdb9b9270eb2aa161f44ec357e3b3fd30d0e1e2bef5e63376cb967a3c12','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'6c07887647139ffed4cff0b994029f0a8db1076f2b186d3df2f8e34e13ced79d','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'25e1a430-b955-4f6f-82ff-bec24f0d179c','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',7,'2c0b6c47e134febd4625dbd6ca0e62c5df633355e640667df9ee5b105157ac97','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'b193b767fc1a6a6523d4f3a097f93deb5ebadff8f18a4789f32a580f45bc313e','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'6be34c1e-1efb-42c4-b73f-5210c32e74a4','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',8,'e08bd17d6e03d6b1e04e2d3c188600203417916c6d39d3826c1faa5d9d05026d','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'59d96c6b4590e39462d4e6bbb23351e0ee78a705d6884fc541dd04bba4e36597','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'a68b2c04-66c2-49f2-936a-669a7da225c6','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',9,'80919df665fa274c56465b32c139a2279020645418b2006f2c0b79db5f2a5bf9','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'430498068110cce60290e11f9749b86ab849c97ea3b769aa593461d5fa6ecc1e','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'d5b6a341-ec0d-4c48-b383-073b5b3f16ec','ad68d1f3-333e-4850-b4a4-c8fcb9ea6029',10,'a35a8f5103098557c5e24593a017b676c0e3d9e624c06f72671d1930a8dea816','a6608e3b-1fac-4278-bcb8-8e3486d55a9d','void','25e1a430-b955-4f6f-82ff-bec24f0d179c','2026-12-01T09:15:02.000Z','gnss',3092,'e9934dd209ec2b2fdc9a6410b7ac98b584ce963d1732b53f23ebcf1a90d496c2','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','c663d329-303d-4d35-81b9-975847824a3a');
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
