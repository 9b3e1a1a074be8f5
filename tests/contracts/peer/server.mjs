// @tus/server, an independent implementation of tus, with the hooks that make it a backend for
// devices: it names uploads by capture_id, or as it likes with --own-ids, refuses what must not be
// overwritten, read or deleted, signs receipts, and hands out the manifests of an operator.
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign, verify } from 'node:crypto'
import fs from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const names = ['port', 'data', 'receipt-key', 'cert', 'key']
const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
options['own-ids'] = { type: 'boolean' }
const { values: given } = parseArgs({ options })
const folder = path.join(given.data, 'files')
const manifests = path.join(given.data, 'manifests')
const receiptKey = createPrivateKey(await fs.readFile(given['receipt-key']))

const refuse = (status_code, body) => { throw { status_code, body: `${body}\n` } }
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sha256 = (content, encoding = 'hex') => createHash('sha256').update(content).digest(encoding)
const signing = (key) => ({ key, dsaEncoding: 'ieee-p1363' })

const { crv, kty, x, y } = createPublicKey(receiptKey).export({ format: 'jwk' })
const kid = sha256(JSON.stringify({ crv, kty, x, y }), 'base64url')
const MAX_BYTES = 32 * 1024 * 1024
const MAX_QUESTION_BYTES = 16 * 1024
const isUuid = (id) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)

const ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551n

/** Returns the signature with the higher s, so that a test meets it each time; leave this out. */
function high(signature) {
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`)
  const other = (ORDER - s).toString(16).padStart(64, '0')
  return s > ORDER / 2n ? signature : Buffer.concat([signature.subarray(0, 32), Buffer.from(other, 'hex')])
}

function signed(typ, payload) {
  const text = `${base64url({ alg: 'ES256', kid, typ })}.${base64url(payload)}`
  return `${text}.${high(sign('sha256', text, signing(receiptKey))).toString('base64url')}`
}

/** Why the record is refused, or null: the label must verify, name the upload and fit the body. */
function objection(id, content) {
  try {
    const end = content.indexOf('\n')
    const [head, payload, signature] = content.subarray(0, end).toString().split('.')
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url'))
    const key = createPublicKey({ key: read(head).jwk, format: 'jwk' })
    const bytes = Buffer.from(signature, 'base64url')
    if (!verify('sha256', `${head}.${payload}`, signing(key), bytes)) return 'damaged'
    const label = read(payload)
    if (label.body.sha256 !== sha256(content.subarray(end + 1))) return 'damaged'
    return label.capture_id === id ? null : 'wrong_id'
  } catch {
    return 'damaged'
  }
}

/** Flushes the bytes of a file, or the names in a folder. */
async function flush(place) {
  const handle = await fs.open(place)
  await handle.sync().finally(() => handle.close())
}

/** Flushes the file, reads it back and signs; asked again, it signs the same members. */
async function judge({ id, metadata }) {
  const file = path.join(folder, id)
  for (const place of [file, folder]) await flush(place)
  const content = await fs.readFile(file)
  if (sha256(content) !== metadata.sha256) {
    await store.remove(id)
    refuse(460, 'the digest differs: create it again')
  }
  const captureId = metadata.capture_id
  const what = { v: 1, capture_id: captureId, sha256: metadata.sha256, bytes: content.length }
  const reason = objection(captureId, content)
  const at = (await fs.stat(file)).mtime.toISOString()
  return reason
    ? { refusal: signed('doorstep-refusal', { ...what, reason, refused_at: at }) }
    : { receipt: signed('doorstep-receipt', { ...what, received_at: at }) }
}

/** The verdict on an upload; null while bytes are missing. */
async function verdictOf(id) {
  const upload = await store.getUpload(id).catch(() => null)
  return upload && upload.offset === upload.size ? judge(upload).catch(() => null) : null
}

const absent = (error) => { if (error.code !== 'ENOENT') throw error }

/** Begins no upload twice: FileStore alone empties the file of the first. */
class Records extends FileStore {
  async create(upload) {
    const file = path.join(folder, upload.id)
    const hasBytes = (await fs.stat(file).catch(absent))?.size > 0
    const isBegun = hasBytes || (await this.getUpload(upload.id).catch(() => null))
    if (isBegun) refuse(409, 'ask for its offset with HEAD')
    const created = await super.create(upload)
    for (const place of [`${file}.json`, folder]) await flush(place)  // before any of its bytes
    return created
  }
}

for (const place of [folder, manifests]) await fs.mkdir(place, { recursive: true })
await flush(given.data)
const store = new Records({ directory: folder })
const tus = new Server({
  path: '/files',
  datastore: store,
  maxSize: MAX_BYTES,
  namingFunction(_request, metadata) {
    if (!isUuid(metadata?.capture_id)) refuse(400, 'capture_id must be a UUID')
    return given['own-ids'] ? randomUUID() : metadata.capture_id
  },
  async onIncomingRequest(_request, id) {
    if (!isUuid(id)) refuse(400, 'capture_id must be a UUID')
  },
  async onUploadFinish(_request, upload) {
    const { receipt, refusal } = await judge(upload)
    return receipt
      ? { headers: { 'Doorstep-Receipt': receipt } }
      : { status_code: 422, headers: { 'Doorstep-Refusal': refusal } }
  },
})

async function receipts(request, response) {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > MAX_QUESTION_BYTES) return response.writeHead(413, { Connection: 'close' }).end()
  }
  const { capture_ids: ids } = JSON.parse(text)
  if (ids.length > 100 || !ids.every(isUuid)) return response.writeHead(400).end()
  const found = await Promise.all(ids.map(async (id) => [id, await verdictOf(id)]))
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(Object.fromEntries(found)))
}

/** Answers with the manifest that an operator signed for the device that Basic names. */
async function manifest(request, response) {
  const login = (request.headers.authorization ?? '').replace(/^Basic /, '')
  const [device] = Buffer.from(login, 'base64').toString().split(':')
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(device)) {
    return response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="device"' }).end()
  }
  const kept = await fs.readFile(path.join(manifests, `${device}.jws`), 'utf8').catch(() => null)
  if (kept === null) return response.writeHead(404).end('no route\n')
  const token = kept.trim()
  const tag = `"${sha256(token)}"`
  const isKnown = (request.headers['if-none-match'] ?? '').includes(tag)
  response.writeHead(isKnown ? 304 : 200, { ETag: tag, 'Content-Type': 'application/jose' })
  response.end(isKnown ? undefined : token)
}

function answer(request, response) {
  if (request.url === '/receipts' && request.method === 'POST') {
    receipts(request, response).catch(() => response.writeHead(400).end())
  } else if (request.url === '/manifest' && request.method === 'GET') {
    manifest(request, response)
  } else if (request.method === 'GET' || request.method === 'DELETE') {
    response.writeHead(405).end()
  } else {
    tus.handle(request, response)
  }
}

const tls = { cert: await fs.readFile(given.cert), key: await fs.readFile(given.key) }
const server = https.createServer(tls, answer)
server.listen(Number(given.port), '127.0.0.1', () => {
  console.log(`ready url=https://127.0.0.1:${server.address().port}`)
})
