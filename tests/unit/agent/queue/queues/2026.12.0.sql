-- A queue made and filled by 2026.12.0: python -m tests.unit.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-12-03 09:56:28.908796+00:00');
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
            "decided_utc" TEXT,
            "dead_ends" INTEGER NOT NULL DEFAULT 0,
            "sent_whole" INTEGER NOT NULL DEFAULT 0
        ) STRICT
        ;
INSERT INTO "captures" VALUES(1,'681e61cb-16c6-42b5-b5c9-d3ec136b272e','acae518a-a123-44d3-9450-9c69537aa547',1,'6dd56e4c612ffb69045a90296db6a18fa96c577ea23c79ecff0379b85b08f800','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'18b01155bbc0dc650e973f25b785eeccec8a142896dc6ee7513508ba05a38dc3','PENDING',0,1,0,'boot-1',160.0,NULL,'sent whole 1: POST was answered 503',NULL,NULL,0,1);
INSERT INTO "captures" VALUES(2,'7ec4e09f-aa82-494b-b5c1-1f301b05527f','acae518a-a123-44d3-9450-9c69537aa547',2,'6dc0539c12f5f3c98258f3f01cc7cffdedd7c3ff6e4e7ac674db89e0d89ee012','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'ea263e3c84d6f188284b3f5728cc5d33f9daca86db6549331bb626b0e545d4d2','PENDING',0,1,1,'boot-1',400.0,NULL,'dead end 3: POST was answered 404',NULL,NULL,3,0);
INSERT INTO "captures" VALUES(3,'7710681f-4994-4e36-9d58-1e20017009af','acae518a-a123-44d3-9450-9c69537aa547',3,'5f4d6d9c441cce79a89bf6ce5d4e46c8ad2e6a219fcdc6d7fd583c81ed3bee70','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'454e9b3cf0a76cfbd616b613c61a670ae5dda197e8fe8d90ba6c10d810d1100a','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(4,'f230956e-11cb-479c-8c1d-78bfe4ed1c41','acae518a-a123-44d3-9450-9c69537aa547',4,'83c8ce814b7f1f523926751bc33b9a49936ee1aac40c16272de33d9e1ab384d4','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'e9d91f98feb6a5c7a07405c4cc8a41ae25c11f98b9872c01db85f8b829671aae','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL,0,0);
INSERT INTO "captures" VALUES(5,'2ce2d96d-4a9a-4869-9c74-619a375c55e7','acae518a-a123-44d3-9450-9c69537aa547',5,'4cf0e150020503db63676e2690e49a99ad3742b3830572c578bf412c35bf7f32','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'f17db7cb70319ca13236a9eba85f8d846ae53ac177562353d66acf3f985f25ad','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(6,'e3f3bb02-5dac-487a-b29c-67b25d122a1a','acae518a-a123-44d3-9450-9c69537aa547',6,'43f21d4b6cfa05d8020d9cf893dc1a9c25389e5bdc313c68ee140c84038c0af2','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'02201f941c48fb813c92223866c65ad382020c04ec2a0e404074b3349e736a2d','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(7,'3580a32a-ea6e-4bd1-b939-542832e40b26','acae518a-a123-44d3-9450-9c69537aa547',7,'6db67e5aba993f0027214adf9a9bc49af5260576e00ae03ab1b919a957f2366a','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'d24b1a044fecdb6a853e7ec5ba9bb89a625e888a46da7f6e3d373ea71c759766','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(8,'3eea436f-820e-4f13-aae2-cc00f77ef575','acae518a-a123-44d3-9450-9c69537aa547',8,'60c000849ed4d020c5ce82de0717aa404b7b5502ee1a60fc0d642cd00cea30a3','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'c98cc075de130b7168282688b122a47d34362fca4a7345ff1776ec83f4bef531','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(9,'b44763ed-22d2-4c1c-b03a-3b969a4b7932','acae518a-a123-44d3-9450-9c69537aa547',9,'0e3815a5a91aadb434797cc9f1a10056c398055cfd73ef348997e8a706b2acd4','a26046f0-f25d-40cb-88f1-23e6664071a7','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'0e9de0a09253b9687d66c2f59d7925997ea095c9f735baa397648b9d73dd97f8','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(10,'d8058d9c-36cb-470a-9196-7f82d8a0958f','acae518a-a123-44d3-9450-9c69537aa547',10,'f765c50bf9528c677e73ac46377031f74e2800441efa9613f8d9c775e29f9a8b','a26046f0-f25d-40cb-88f1-23e6664071a7','void','3580a32a-ea6e-4bd1-b939-542832e40b26','2026-12-01T09:15:02.000Z','gnss',3092,'28cefde0b5cb5f0a811f56a28583517bfbe8201b26047c93857684fcc28861be','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','e3f3bb02-5dac-487a-b29c-67b25d122a1a');
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
