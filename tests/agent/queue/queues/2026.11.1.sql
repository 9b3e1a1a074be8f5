-- A queue made and filled by 2026.11.1: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 01:17:48.274923+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 01:17:48.276020+00:00');
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
) STRICT;
INSERT INTO "captures" VALUES(1,'a80a5ac1-f4e2-48b4-9a5c-3188f5e97644','51563e21-2871-474b-8691-71d7428dbf69',1,'f022bd08153424001cd0ad789ceea18510f0a60804a5bafda80a5d40536cacfa','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'6b18b995412a25789b085cf53041b79ca7974f5a274f8d56a6bf6b7230701139','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'b45f2c21-436c-45f1-8864-0a7a12285993','51563e21-2871-474b-8691-71d7428dbf69',2,'439cf83855dbf6c2507423e31ca4a2c143e18d56d9c572b08e5b77ef636ea2fc','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'5787df4fa7e660222944dd858afa310e4b58aaeb67aaf84a3d81f38f4b3a294e','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'53041dc6-2b41-4dbf-ad59-5db80856a491','51563e21-2871-474b-8691-71d7428dbf69',3,'b7d9190ca63afc88c2395b5442e3076a0005a2dca04d5d365ebf2114774a8eb9','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'668aed36db7ce967050ec03cc7e03da3d9b7de3d62cac3d03f186b70ebfc57ee','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'4dcf09da-cf23-4798-92ae-2ef21995d0e7','51563e21-2871-474b-8691-71d7428dbf69',4,'e300deebe638850b71e0f18c61525da55be5dc181847bbe47d9aec4bb25daf84','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'14bcf8098e427f9c80dae57daf60128a498573d1468bafab0f87aff3cc8b9c7b','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'11644d3f-852a-4da3-8d60-f8b3256f260e','51563e21-2871-474b-8691-71d7428dbf69',5,'8935245bdf6cccbae44d1130d51b7630f9cc359a2b98f2fe16d00502c87c966e','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'ca6c83829aad5e3391e3674dbc5cd2860b5b52fd747c617b2c645c5ce99ba5fa','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'67810764-2957-48ae-9c00-cb235c2bf200','51563e21-2871-474b-8691-71d7428dbf69',6,'24e870869062d1a7a73997216932b020109d58e3975d91d70d648d51648d9b82','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'3d82bb9db534b6e920818f2ea269db087601dd84be5ef7b78fdd3e4eab925092','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'0722f5ad-c14f-4515-b3ea-6e4d473f6500','51563e21-2871-474b-8691-71d7428dbf69',7,'d522716922280e28bdd5df6d40be72f3ab768d96e9d07a07be72cb3be75de0ba','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a7b88ba3a58046d28d8d599b0f283ebb3f980a37a18f9f304a627bdf1f069b9a','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'c593b9df-7564-40be-ab49-c8972664c4d4','51563e21-2871-474b-8691-71d7428dbf69',8,'438c1c58d7fb21a2929820d00511dd0db3a60d8a49140b3416422f9c28537d79','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'74e8050d563144701aebed3d7dc99fc0f15baed03e4be7671e161129e712b791','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'70250872-2ef2-4006-aa30-1a2a04b47235','51563e21-2871-474b-8691-71d7428dbf69',9,'3f7f6ddd30821b3753ea6804ba31728ee7eb67d27e98a88f2f98224cfbb5ef93','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'1f159fb8a847d575ec9e9a020b11e95f1845bc064c2813d1f7e23a2d25151b4e','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'447c499f-2741-4d6f-b64a-2232b90c4e76','51563e21-2871-474b-8691-71d7428dbf69',10,'b5a3d5bfbaace6891547b368f9bee37719fb9f4d7517c9046d97af3b759dad34','0bcc2fcd-6c1f-44c6-a2b0-6782eda614b2','void','0722f5ad-c14f-4515-b3ea-6e4d473f6500','2026-12-01T09:15:02.000Z','gnss',3092,'3a20f9adef090369303fe3184385bde197da7db955049570d0c93e3a964f8b8f','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
   "name" TEXT PRIMARY KEY,
   "text" TEXT NOT NULL
) STRICT;
INSERT INTO "facts" VALUES('time_floor','2026-12-01T09:15:02.000Z');
INSERT INTO "facts" VALUES('manifest','manifest.of.today');
INSERT INTO "facts" VALUES('manifest_version','3');
CREATE TABLE "tally" (
   "state" TEXT PRIMARY KEY,
   "rows" INTEGER NOT NULL
) STRICT;
INSERT INTO "tally" VALUES('PENDING',6);
INSERT INTO "tally" VALUES('DELIVERED',1);
INSERT INTO "tally" VALUES('PRUNED',1);
INSERT INTO "tally" VALUES('REFUSED',1);
INSERT INTO "tally" VALUES('DAMAGED',1);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX "idx_captures_capture_id"
    ON "captures" ("capture_id");
CREATE UNIQUE INDEX "idx_captures_chain_seq"
    ON "captures" ("chain", "seq");
CREATE INDEX "idx_captures_state"
    ON "captures" ("state");
CREATE INDEX "idx_captures_state_due_s"
    ON "captures" ("state", "due_s");
CREATE INDEX captures_alarming ON captures (number) WHERE (state IN ('REFUSED', 'DAMAGED') OR suspected > 0);
CREATE INDEX captures_suspect ON captures (number) WHERE state = 'PENDING' AND suspected > 0;
CREATE TRIGGER captures_insert AFTER INSERT ON captures BEGIN  UPDATE tally SET rows = rows + 1 WHERE state = NEW.state; END;
CREATE TRIGGER captures_update AFTER UPDATE OF state ON captures BEGIN UPDATE tally SET rows = rows - 1 WHERE state = OLD.state; UPDATE tally SET rows = rows + 1 WHERE state = NEW.state; END;
CREATE TRIGGER captures_delete AFTER DELETE ON captures BEGIN UPDATE tally SET rows = rows - 1 WHERE state = OLD.state;  END;
