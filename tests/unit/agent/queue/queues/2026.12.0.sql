-- A queue made and filled by 2026.12.0: python -m tests.unit.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue',NULL);
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-29 15:31:01.455904+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'doorstep','m003_dead_ends','2026-11-29 15:31:01.456505+00:00');
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
        , "dead_ends" INTEGER NOT NULL DEFAULT 0, "sent_whole" INTEGER NOT NULL DEFAULT 0) STRICT
        ;
INSERT INTO "captures" VALUES(1,'00176d0f-a7fc-4e5d-be28-9b8e48eee0e2','97ec3801-d7e5-47a8-82db-cc9b0fba5093',1,'f7a34f27a57a0aa767014d15d652a1df763879f914b89e47cddfc6688a944350','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'1600fd4588b4cdf1690cb2ee7867d1325188144502822f7612f2e5930354a7e3','PENDING',0,1,0,'boot-1',160.0,NULL,'sent whole 1: POST was answered 503',NULL,NULL,0,1);
INSERT INTO "captures" VALUES(2,'1b9fb972-9e53-4ef2-9056-a2b8dec5921a','97ec3801-d7e5-47a8-82db-cc9b0fba5093',2,'da638d11d81a1c306b323d4a3d8b10a10f8ee690ca218507d45bd6c34da1cfb1','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'57a911dbc497bdf9b9c3e4f284dd4b95d5ed2a288ca966a74e2668758852483f','PENDING',0,1,1,'boot-1',400.0,NULL,'dead end 3: POST was answered 404',NULL,NULL,3,0);
INSERT INTO "captures" VALUES(3,'69408bda-2b24-4a8b-893c-d23914ed9683','97ec3801-d7e5-47a8-82db-cc9b0fba5093',3,'6fc01f92124f4939caee5e97da4dfdd7fecb3aa5c56fb9fa6fef02fe194d0f6a','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'5bb567575b90d3e696559ffcc6dfda799b8ac7938a80afba0fe0343b2f3caffa','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(4,'36cadcdd-90da-4538-96b1-aad3a7d58029','97ec3801-d7e5-47a8-82db-cc9b0fba5093',4,'d7333591729bb2ec0439f9fdbc6126f25cf34eca611c3d74386e28802583cca8','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a1d8fdbc4c236d2dfc1c935f3ada38b0015f270bd1aca31065153a146714e4c3','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL,0,0);
INSERT INTO "captures" VALUES(5,'5d65d710-7066-4db4-9353-406c16a7d762','97ec3801-d7e5-47a8-82db-cc9b0fba5093',5,'b81b431d00c36d927b5b9004bfb3c2bb4d28ed467e91f96ce781537a822e245b','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'184123b23d82d0b59c61b1a19516f4264e444aa7f8dde1f0ff6b0621acfbd2ba','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(6,'9a25b10e-35e4-4e4a-b853-81cdb7af3a27','97ec3801-d7e5-47a8-82db-cc9b0fba5093',6,'dcec6447ee024ff680f49896c1d2d4270161c17078ea8c3a791a6caefc80acfa','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'5b54296dea9edec105672e2e2de530da91a5028b93d6bdd1d702c11de80f07fa','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z',0,0);
INSERT INTO "captures" VALUES(7,'b6fc7e98-7d53-4e0c-b6ef-1d33a13f1c97','97ec3801-d7e5-47a8-82db-cc9b0fba5093',7,'56b38d27f2b3b1cc73ec74d6d8d50d055a3e769963e83b8a29b72b274c8191ea','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'c331c56dc490f9b0252a428548e2e3fbc927edf976771ab169dd2670d37be4ea','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(8,'81f35756-b9d1-446c-b08a-9ab1b0477f79','97ec3801-d7e5-47a8-82db-cc9b0fba5093',8,'3028774285aaeef2b8034d1f5acb5fa4390abd18685f463ff313c89a1b3e2cfa','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'da55dfecc867635d71342d886cb7569d0b448edd1b6e4e0d3a835cd1f962d5c7','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(9,'b253d8a3-1f40-4101-bb1c-7c154c6fd890','97ec3801-d7e5-47a8-82db-cc9b0fba5093',9,'132eb94b314fa78f217d32d87337b14f07417d4e75e79921f4e122bf04cafb54','869902dd-aa67-4923-918b-8da628fc81ef','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'356e64c3f7a796af0c6dbee62a64502a092d11ac9a993993fa392dbdd4948c66','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
INSERT INTO "captures" VALUES(10,'929240bb-d9d0-401e-9ce3-181f43470bcb','97ec3801-d7e5-47a8-82db-cc9b0fba5093',10,'e08a25b0fa4f341ca65cc2448f0bc3aca6b4f878ccb25f85e6901aab1a47f91d','869902dd-aa67-4923-918b-8da628fc81ef','void','b6fc7e98-7d53-4e0c-b6ef-1d33a13f1c97','2026-12-01T09:15:02.000Z','gnss',3092,'161101e72f16a0c3d2c95426ad98e82d92bad0c1cdb1f42e702de25cacc1afcc','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL,0,0);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','9a25b10e-35e4-4e4a-b853-81cdb7af3a27');
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
