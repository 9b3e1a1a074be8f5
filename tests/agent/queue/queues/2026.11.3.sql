-- A queue made and filled by 2026.11.3: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 05:40:40.426009+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 05:40:40.431393+00:00');
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
INSERT INTO "captures" VALUES(1,'ccc1e5f6-09c7-4417-8b55-99b35d63e6c5','d8b30b00-736e-44f3-a9b1-72c3454313be',1,'722579f96928db948078611b2e75013673220ade78c82e30a77c9fcd98014b36','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'2f13f435946c5412759d6615f515008860a243cdfda6aae3786ebb8257efcbcf','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'cedb456c-4a80-44ee-a198-643f0d7fecc2','d8b30b00-736e-44f3-a9b1-72c3454313be',2,'6859d70ae93b42663323d6dbeaa87878c006984c8aa69b4b6f2a401f4051437d','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'15ce6e96f93836f8b006376428ba144dc495fa7e37443559bc89c61d89a55a5e','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'08f557ad-1374-4be7-98a8-5070148bf51b','d8b30b00-736e-44f3-a9b1-72c3454313be',3,'c247821f529f3ab084dc8914b42058458d5e6d4b279c51d910b1c93008176475','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'04063edffebe2a72d1b6ae13766aa620aaab0365debe935696400237d700f688','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'cb6b8157-57ce-4677-bcf6-cfc51813f862','d8b30b00-736e-44f3-a9b1-72c3454313be',4,'277b6450d9ead1fa42610ac3b86a3bf91fb7c3f7a56ff111a0b7e2c491066d09','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a49b761434d961de5b61943244fcf4c1c577e1838dbaed6c91f5d0c298b1a630','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'e64801cd-ea8c-4b96-8010-a0418e00b5b4','d8b30b00-736e-44f3-a9b1-72c3454313be',5,'49f5508f0ecad840dc66d433b1671b39b8e00cdfa8bf24f232a3da372fc5292a','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'2056341935671efcadfce46067a1dc2bbacf1239737f41a222d061c8123c3a65','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'02d5f00e-aadd-44a3-ae83-4118deaec4be','d8b30b00-736e-44f3-a9b1-72c3454313be',6,'451bf8bce1bb485addfac56909302c91428c0ae988f184611f8b6143afd26965','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'4227b50e147218a55031bbde0839ebd986494786cc562cb4b4a7da339280a685','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'501dc603-a368-452f-b354-31eac936d235','d8b30b00-736e-44f3-a9b1-72c3454313be',7,'9a9b2addb11b477181dc6d0f96ec8889372fb78496ac2d5c9654e4a839357ebe','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'16882bb7e377f208ce574c112b570197868cbd21334990263db0eafe8cc0e041','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'f584adf4-661e-4c81-b0b4-ea69c390e23b','d8b30b00-736e-44f3-a9b1-72c3454313be',8,'8f548ea28fa7b9a224827b726fc9448a153a6c98af636f708f340dd855d21367','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a9e1f58d993884948dd90ae13777f741a9557a998ec0f409e7d804830087e3a9','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'48258fad-39ba-447c-b153-000d9c56cbad','d8b30b00-736e-44f3-a9b1-72c3454313be',9,'246591558b9d5c6c42cd459cb27044c9efe466ee229053c73443646a4ab3570a','7b0db52b-c91b-4996-a8ca-b5640066c265','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'39b51c923fa87ffd95a2f37d00e2e8c1381ac1a8b39a8a99d912dd8c0772954a','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'7f69a789-c3e4-4ea9-852f-6e7f7ce7d7ee','d8b30b00-736e-44f3-a9b1-72c3454313be',10,'31fcf841ceb6aed647cd203d531263721b1efcc1ffe36c05a63cee6ea4a52d88','7b0db52b-c91b-4996-a8ca-b5640066c265','void','501dc603-a368-452f-b354-31eac936d235','2026-12-01T09:15:02.000Z','gnss',3092,'3d816accc24658770c426ebe4f98bca9f179dcc3c25ea4fa105ea98745785c2c','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','02d5f00e-aadd-44a3-ae83-4118deaec4be');
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
