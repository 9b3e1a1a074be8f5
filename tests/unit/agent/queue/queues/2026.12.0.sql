-- A queue made and filled by 2026.12.0: python -m tests.unit.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-29 07:48:16.764348+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-29 07:48:16.764780+00:00');
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
INSERT INTO "captures" VALUES(1,'0a534e9c-a6af-4dc2-9103-f548d111465e','7b1ac10d-29aa-4625-be56-676d16bb1840',1,'e016dc704d42c4ee1ccaf968a517bd3bbee000b66e9678a85b32eb5d2912098c','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'93df384259034f053559d45ad8536e1ad0c9174e977bb5336dd6f51fd6baecc6','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'e09f1d37-79ea-49d8-bd96-9324b9af9e4c','7b1ac10d-29aa-4625-be56-676d16bb1840',2,'8323a2b71b6c0e2698396e2f6f1a9e0cc5af70089ab23cd71632ea13cb82ee79','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'d596de38a5e8704fe5d829f847435e7b7422f98390b313cdd3cc6ee3c8d49b44','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'9cb5eb6f-8bab-48c6-9391-507b31153254','7b1ac10d-29aa-4625-be56-676d16bb1840',3,'3256858f562d0e6098a7b67c2cf2ae75f0aebe9bae77af7eb6f4318093ee7b32','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'6913acd12b5856b93ee2c7400b64c492b6309952912a5e532ec14a93d5544da5','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'4ac419f2-29f8-4022-a644-385ac8d8dfdd','7b1ac10d-29aa-4625-be56-676d16bb1840',4,'d781c84d5ab2f6fcc64b29f774eb066f847cb7d6ef6a822c956e70530691f55d','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'201f1366d102b4f1736f8c2eb48ba6a903236a60cc5981f2b41bb70276c612c5','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'eb1dc53c-2418-4860-ac66-b84b0f316fcc','7b1ac10d-29aa-4625-be56-676d16bb1840',5,'81c825c3f97e11cffbcee1616a7bf5a9fc7713630f897dff4008e11cab303707','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'522e162a1487d8c44aa79cbb669510e8f915d60c49b7c06fe829fc847acc347e','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'3f4dfa56-29e5-4048-81d5-34de02647560','7b1ac10d-29aa-4625-be56-676d16bb1840',6,'a5a37c843b960998c8173127d7af16f36256df04ae4e68999c0fc742aa02a07b','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'7cf839ad6753b13d39aa365bba271fa60d28ec854f4060d314014efa96398993','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'c397c892-a4cd-4f1e-b2b0-82c49c6d8798','7b1ac10d-29aa-4625-be56-676d16bb1840',7,'43b89833a264f76fb086a7fc93e202fcab627943a328f28fff6234f998924770','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'c6ccc23661ab6d2138fc505b4ec199cb97ee304d1d474b7dfb2e9105875b3cff','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'a14c260d-1928-4d5b-a64e-1f2f2af10d60','7b1ac10d-29aa-4625-be56-676d16bb1840',8,'ecfc0b707250bc37615cfce07bdfd519b43f82ec3f403fabb2acbe7389079470','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'8d74e13ed960ffd13889a6e15eaf632561c757ca7d81fe819b3ac5f3f8ad72bd','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'dbc6fdc5-1c0c-4924-a5f0-277d04a1e139','7b1ac10d-29aa-4625-be56-676d16bb1840',9,'73394776434867a285ef74bbe55f60abbbd7604f54044bee7061589fcfdea6df','2ad066de-210b-4949-b843-60f6724bc3cf','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'20cd4998116bb5a31886bd998c1e30f2641c54720705953d9965bbbfea01d1e1','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'905afb8d-4e3b-4356-a012-bbf5a4fbcefc','7b1ac10d-29aa-4625-be56-676d16bb1840',10,'3832d1d9f4d9a33951a1c59d115ec9a925c18574383f40e9ebc2a494f30b4164','2ad066de-210b-4949-b843-60f6724bc3cf','void','c397c892-a4cd-4f1e-b2b0-82c49c6d8798','2026-12-01T09:15:02.000Z','gnss',3092,'592a3a25cbf06275a7e8c8453e47393d706addc8d7f410e3dc4bb411109016b7','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','3f4dfa56-29e5-4048-81d5-34de02647560');
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
