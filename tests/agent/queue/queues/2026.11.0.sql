-- A queue made and filled by 2026.11.0: python -m tests.agent.queue.queues.dump
-- It had no manifest yet, so the line of the manifest was left out.
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 01:17:47.776721+00:00');
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
INSERT INTO "captures" VALUES(1,'16f0dc58-6c23-4f10-914c-81e77801fc6b','f1adde4e-5873-4990-912e-2b60d8a62eb0',1,'2f3ab60cfd80eb08e6b8ed3cf11ead66aa9a9714faabae1a18a7e7c0a00012e7','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'adf78a03c843f11cd22f9cb1fca43acc522dd6735c865634a30a304aa75cfa8c','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'872dd286-1147-46ff-8d91-1cfd8c2a6ce5','f1adde4e-5873-4990-912e-2b60d8a62eb0',2,'caf4a9309911f96148cf7d4abcc4695324f6eb0e4f0278e066d187d26737b29a','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'7b644d53571b329b8aae60a6596f906eb07cda4347a9d6e4a54441fb095d5737','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'820e0006-adf2-4850-afbd-15f497573579','f1adde4e-5873-4990-912e-2b60d8a62eb0',3,'d8e2610c2972bcb1c9e0412f5a98ff1e72f733d27a901fb8df9ec952b46269d8','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'936541851dfc015759083fe674f74e5888917274f183128d491b9a0e87fa1e12','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'b123cecc-9c24-476d-a201-7ea2ca5d7851','f1adde4e-5873-4990-912e-2b60d8a62eb0',4,'1df429e22f2d8ab16769a59294f329778005f37d1b91a1a2daa48fb9c1d6fd1e','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'b7777d691c4c95842e1c5652010cc08b551169c586ac69d05c46b71f9c415edd','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'3263381f-96ef-42c0-84bf-0b1e87e25fbf','f1adde4e-5873-4990-912e-2b60d8a62eb0',5,'88cea53673596392fb21f2351b0b7ccd4665f214079d2b7b0afc36b7327ea527','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'bfca4c3e4963bd97a3ea82d1e00e565008b212070cf505c3ca17f233cdc01ab0','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'fd5e8fcb-74dc-404b-bc81-f4522fb52069','f1adde4e-5873-4990-912e-2b60d8a62eb0',6,'2b58836edfb9392b08ba2a5bf234b573193f21237f35d42752442f48f6477d06','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'e05d7bbdcb761a90d96a023592d8ca5fba473439784e9e5d35df97cddc1270f9','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'64b95d39-a9cc-42be-a121-3e197eb2456f','f1adde4e-5873-4990-912e-2b60d8a62eb0',7,'05a1ea7fa6398980ceb3b514999ff964f9949c53f357aee65e6da919f401be1e','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'dbd1dd954803484e7b24f9b791dd387d668677672a32dea0f9a8b4e4771fa664','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'6ce4e8f1-ecbb-49e5-a95a-33c667992202','f1adde4e-5873-4990-912e-2b60d8a62eb0',8,'c7104224c85d0b6b92e30af9bdce5ff537594219c95413407795f96f3cb67f99','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'7b6e039f76f14f076ab74fc08c65c6842a5b3e2a95de58d136d58f79bd5df66b','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'dcca0007-9b19-4dd4-a1d6-53f985c4d943','f1adde4e-5873-4990-912e-2b60d8a62eb0',9,'70bf15ab1326a2bdacbdda7c981c23318a62302d8f6f74ec896bcafef72b5124','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'3329bb9512b12dbeb45b23a4feb0b59280e569e1e13df5019b3066dacb94aa36','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'d9d415a8-5c29-44d1-bdcc-fa0dbebd4990','f1adde4e-5873-4990-912e-2b60d8a62eb0',10,'9b07770f35755ef9a444e76cfd7edf31edbc3678be1e222e421eb0c0411c69cc','f9f4489d-a67c-4f8f-ab1a-e7adf7a73106','void','64b95d39-a9cc-42be-a121-3e197eb2456f','2026-12-01T09:15:02.000Z','gnss',3092,'f88626c7de8fdc1c2171b0ccb77e4fbc141cfcd346159f5d74354c4b9f172f08','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
   "name" TEXT PRIMARY KEY,
   "text" TEXT NOT NULL
) STRICT;
INSERT INTO "facts" VALUES('time_floor','2026-12-01T09:15:02.000Z');
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
