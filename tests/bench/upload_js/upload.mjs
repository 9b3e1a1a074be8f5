// Uploads records with tus-js-client and its default options: node upload.mjs JOB
import fs from 'node:fs/promises'
import https from 'node:https'
import * as tus from 'tus-js-client'

const job = JSON.parse(await fs.readFile(process.argv[2]))
https.globalAgent.options.cert = await fs.readFile(job.certificate)
https.globalAgent.options.key = await fs.readFile(job.key)

/** One upload; resolves to whether it came through once the library has given up retrying. */
async function upload({ path, said }, uploadUrl) {
  const content = await fs.readFile(path)
  return new Promise((resolve) => {
    const options = {
      endpoint: `${job.url}/files`,
      metadata: said,
      onSuccess: () => resolve(true),
      onError: () => resolve(false),
    }
    if (uploadUrl) options.uploadUrl = uploadUrl
    new tus.Upload(content, options).start()
  })
}

for (const record of job.records) {
  let known
  while (!(await upload(record, known))) known = `${job.url}/files/${record.capture_id}`
}
