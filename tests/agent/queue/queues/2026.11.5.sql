-- A queue made and filled by 2026.11.5: python -m tests.agent.queue.queues.dump
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'doorstep','m001_queue','2026-11-26 11:16:08.801777+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'doorstep','m002_tally','2026-11-26 11:16:08.802485+00:00');
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
INSERT INTO "captures" VALUES(1,'68688aa6-5aa8-4436-9cdc-f7155b063d3c','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',1,'16a0347a1ff627310cc4968f06f05870ddc276bdf69f6cfc0f42f4e71601f61a','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',3987,'703002c42e20ab03c834c9794e35946f3ecce5342eef041ac722ec80b5448778','PENDING',0,1,0,'boot-1',160.0,NULL,'POST was answered 503',NULL,NULL);
INSERT INTO "captures" VALUES(2,'4e1f95b3-1618-44b1-8a11-9a102ab043da','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',2,'af6c63df784f7d1b79da986668a5b0347547f5bbfd3d5868d5b95118d6e42ce9','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'a0e98675d82620032039e4ff99867ba00f5591d69489a24b06f59d30f8213107','PENDING',0,1,1,'boot-1',400.0,NULL,'POST was answered 413',NULL,NULL);
INSERT INTO "captures" VALUES(3,'6ebf7379-0a8e-445a-a6e1-ae3cff437452','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',3,'d30e868e69d8f375ea3845ce28b8ed9964949104d1ff9955bde070ea542cc7b6','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'abbf7945d107767502dbf66e80097a12f4ffbcf35cdf48e1c8c46cdd22d9d5b8','REFUSED',0,1,0,'boot-1',700.0,NULL,'unknown_device','refusal.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(4,'179b61f8-b9c8-4af0-8cc5-3810b2680dde','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',4,'ad9ad0c3a3ffaaf06b3b5ecb7b41d8cfb0e6ba5fc3c6ec59610bc6612ddb0a21','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'2f88b2d44b40e22ccd750747347f13d311ede22c1e9d65ded539d0782ce60734','DAMAGED',0,1,0,'boot-1',700.0,NULL,'its file is gone',NULL,NULL);
INSERT INTO "captures" VALUES(5,'da4629d5-d49c-44b9-bcd7-464f7d450fc3','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',5,'5812b1526d005a0594dadd74e9a656f2ea53c0e386080600fb6f0c241dc31255','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'946d435712cc269378c961171c1a663009e1fa1aad015cd4781bc0a5563d61aa','DELIVERED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(6,'dee61224-b60c-4618-869c-cd2cc3f9fa6e','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',6,'a3098441008e75a4db500e380ade92690e46ba7ef869597bcc1bee6f2cf37f5e','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'eebfb18aef2d3ee785120873e97742a1ed73941bf0c0ed34ccc2cc56e72a21f7','PRUNED',0,1,0,'boot-1',700.0,NULL,NULL,'receipt.of.one','2026-12-01T09:15:02.000Z');
INSERT INTO "captures" VALUES(7,'555476cd-b0b4-421c-9c35-86c1a85a6e86','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',7,'bdad5f7444199a6255faa9734e270bdde828304552e11270418a172e505c0826','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'f3b879861a6610c37bde16fcf061d19d7c254e789a07136f587d7b8e1f53339a','PENDING',0,1,0,'boot-1',700.0,'https://backend.example/uploads/7',NULL,NULL,NULL);
INSERT INTO "captures" VALUES(8,'1bbf9d0e-417f-433c-9ba6-af4bd48ba610','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',8,'7bac6a9bde1be7bfb193a1e033c09903fc3474532454bdef3700602f57baf832','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'f4012560fdf1d2ab0fd8bb89815cf9d55482e95aec24cc8ec84db6b9371625e3','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(9,'46191074-5c93-41ef-b6a3-82f484306c32','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',9,'de6e0a2b007fa170e034a9429e56d9ddae90225e6d6710edad3db991aa5577a7','7d1e5839-9c66-4362-9251-00047997b14e','photo',NULL,'2026-12-01T09:15:02.000Z','gnss',4070,'f01bf820b4c266495494957075b52152587d705920a7eb82e0e39d575b91942e','PENDING',1,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
INSERT INTO "captures" VALUES(10,'c9600b08-3fab-47a6-88c8-373f90902cd5','41bbae33-5cbb-4238-9edf-bc2ffa57ca1f',10,'8f68ba4391c321630c8a6468be8bbd3c3b184d6ed64b2785636fb8840ae1f4d3','7d1e5839-9c66-4362-9251-00047997b14e','void','555476cd-b0b4-421c-9c35-86c1a85a6e86','2026-12-01T09:15:02.000Z','gnss',3092,'4833d7277082bafb41aeaa61c8a1ca958d93e18a681451c0a5bf86f7e3e30ab2','PENDING',0,0,0,'boot-1',0.0,NULL,NULL,NULL,NULL);
CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "facts" VALUES('last_decided','dee61224-b60c-4618-869c-cd2cc3f9fa6e');
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
