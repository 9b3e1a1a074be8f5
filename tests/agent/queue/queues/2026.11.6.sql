-- A queue made and filled by 2026.11.6: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 19:03:28.777825+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 19:03:28.778248+00:00');
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
INSERT INTO "captures" VALUES(1,'fad1afd8-f0e1-41ef-999c-8175716e32b5','85618187-8d1d-4fce-9abc-b6ad2dc31789',1,'9fb327acfa418a1eb73c2c6868278b59511b2bc984b6e673761081461cd9a304','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'f8abbaa6a11a03ba8adddc43174d3f94718bbe2a3feff45ccce1856b71327a46','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'94fe14ca-fc8c-409c-aba7-7021525503fc','85618187-8d1d-4fce-9abc-b6ad2dc31789',2,'dd2e7d3992552e9d27070ddf1a732ce76485465cda290388650abbab8020e081','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'60be025569095909369f03a66b67878a0ccccc136c4404386e3a8c40f5ed2373','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'da6d4900-ec13-4c8d-b685-c0993961795c','85618187-8d1d-4fce-9abc-b6ad2dc31789',3,'0d90462971e4ccc619688184e3990c2d5482042b0a2c0a81b44a65eaeaa9a807','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'257778401fbde3ad9b897f021d20a7c7c0baca9ba8bcd0ab90f11720f292246b','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'311a6241-6fb1-4762-bb8c-2656a4341dff','85618187-8d1d-4fce-9abc-b6ad2dc31789',4,'2fd61aece2075bd75eeae1f85c866a6cf1627ae87f61fd4ff69a7df361c451e6','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'93eb5ca1a33196452669287feecb28f405eba71e91cc657aa4a96d01d39f37bb','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'ad9aaa51-9629-4d13-ad99-c98c01ae0f02','85618187-8d1d-4fce-9abc-b6ad2dc31789',5,'ea60d25c4ebe86dae3356302d1cd873dfeac76a1d749f83c4c4d3ec2780a495d','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'3795d115f99e789ac0552961217ad0f2a785b99853c4014dc02e21431bd84dcb','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'99faa2b1-c463-41be-877a-54a5d9196a83','85618187-8d1d-4fce-9abc-b6ad2dc31789',6,'76ddc0f0d67cca45b1cd637d845c757c35b2a54b23a54a2d0cdff60509395994','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'25f3332e50fcb741b61a8d5d37bb241d7d69fe442faf8dfe40b4498a45137c91','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'da8410c6-176a-4af9-8efa-1088d35b3443','85618187-8d1d-4fce-9abc-b6ad2dc31789',7,'97d0ca3207b6d45a3a12de7ef3fdc63c9b8af046816183630ddce9426038b045','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'d12d27b32f44ba2e6cca9c944c1871420d2add4af80ececa93436daec5542bac','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'fe28364a-9431-4c71-871a-990a34bce1a5','85618187-8d1d-4fce-9abc-b6ad2dc31789',8,'d2fe70ac0e5ff28018629628cd9e55df1f56c78a5adb2ca88ad1d5288b206468','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'0df60e6ecd06fb573a8c02692cc08d2c53b11c096df8a817ba7d34c2063f7ebd','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'af40442e-1b14-4765-bd3a-de11f9e9d097','85618187-8d1d-4fce-9abc-b6ad2dc31789',9,'906674abf275e515b2145677ae4c54370f1876ee39129995d9fc6d82e577a319','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'92e94430bdc1a23a358f74a9aaede0d80e79342765092f24aeb25ece93cee4e7','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'83484511-ad75-4bf0-af74-907ecdeefa82','85618187-8d1d-4fce-9abc-b6ad2dc31789',10,'9d55a14a834f9c5cf8f0aa31f8538fb6b8ad74cd4da141b618f6ad8ed60f1243','fc686c3d-cbb2-49f9-b887-9f6b844c8ca5','void','da8410c6-176a-4af9-8efa-1088d35b3443','2026-12-01T09:15:02.000Z','gnss',3092,'6968f387303c5d149666db670ead50bd8dfdd051487222f11d22bbd99572f7a6','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','99faa2b1-c463-41be-877a-54a5d9196a83');
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
