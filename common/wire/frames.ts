/**
 * Every frame on the probe link, as JSON text of at most `frameBytesMax`.
 *
 *   probe                                coordinator
 *   enrol (first start only)      ──►
 *                                 ◄──    enrolled
 *   hello                         ──►
 *                                 ◄──    challenge      (the coordinator proves itself)
 *   prove                         ──►
 *                                 ◄──    welcome, then manifest
 *   want_pages                    ──►
 *                                 ◄──    page, one by one
 *   applied                       ──►
 *   batch                         ──►
 *                                 ◄──    ack
 *                                 ◄──    job
 *   job_taken                     ──►
 *   either side: error
 */
import { type Static, type TSchema, Type } from 'typebox'
import { MailscoutError } from '../errors.ts'
import { frameBytesMax } from '../limits.ts'
import { CompactJws, checker, MailAddress, Nonce, PublicKeyX, strict, Thumbprint, TimeMs, Uuid } from './schema.ts'

export const wireVersion = 1

const frame = <T extends string, P extends Record<string, TSchema>>(type: T, properties: P) =>
  strict({ v: Type.Literal(wireVersion), type: Type.Literal(type), ...properties })

const Version = Type.String({ maxLength: 40 })
const Code = Type.String({ maxLength: 60 })
const Detail = Type.String({ maxLength: 1000 })
const errorFrame = frame('error', { code: Code, detail: Detail })

/** Certificates of probes travel in mails too and have a form of their own (common/mail/token.ts), here only a text. */
const ProbeCertificate = CompactJws

export const probeFrames = {
  enrol: frame('enrol', { enrolment: CompactJws, x: PublicKeyX, version: Version }),
  hello: frame('hello', { probe_id: Uuid, nonce: Nonce, version: Version, boot_id: Type.String({ maxLength: 64 }) }),
  prove: frame('prove', { proof: CompactJws }),
  want_pages: frame('want_pages', { hashes: Type.Array(Thumbprint, { maxItems: 10_000 }) }),
  applied: frame('applied', { manifest_version: Type.Integer({ minimum: 1 }) }),
  batch: frame('batch', { id: Uuid, batch: CompactJws }),
  job_taken: frame('job_taken', { job_id: Uuid }),
  error: errorFrame,
} as const

export const coordinatorFrames = {
  enrolled: frame('enrolled', {
    probe_id: Uuid,
    root_x: PublicKeyX,
    return_address: MailAddress,
    certificate: ProbeCertificate,
  }),
  challenge: frame('challenge', { nonce: Nonce, coordinator_certificate: CompactJws, proof: CompactJws }),
  welcome: frame('welcome', { server_time: TimeMs, certificate: ProbeCertificate }),
  manifest: frame('manifest', { manifest: CompactJws }),
  page: frame('page', { hash: Thumbprint, page: CompactJws }),
  /** Everything in the batch is durable, but for what is refused: that is logged, and must not be sent again. */
  ack: frame('ack', {
    batch_id: Uuid,
    refused: Type.Array(strict({ id: Uuid, code: Code, detail: Detail }), { maxItems: 1000 }),
  }),
  job: frame('job', { job: CompactJws }),
  certificate: frame('certificate', { certificate: ProbeCertificate }),
  error: errorFrame,
} as const

type FrameTable = Record<string, TSchema>
type FrameOf<T extends FrameTable> = { [K in keyof T]: Static<T[K]> }[keyof T]

export type ProbeFrame = FrameOf<typeof probeFrames>
export type CoordinatorFrame = FrameOf<typeof coordinatorFrames>

export const readProbeFrame = reader<typeof probeFrames>(probeFrames)
export const readCoordinatorFrame = reader<typeof coordinatorFrames>(coordinatorFrames)

export const writeFrame = (value: ProbeFrame | CoordinatorFrame): string => JSON.stringify(value)

/** Parses one frame. An unknown type is answered with a coded error; the session goes on. */
function reader<T extends FrameTable>(table: T): (text: string) => FrameOf<T> {
  const checks = new Map(Object.entries(table).map(([type, schema]) => [type, checker(schema, 'FRAME_MALFORMED')]))
  return (text) => {
    if (Buffer.byteLength(text) > frameBytesMax)
      throw new MailscoutError('FRAME_TOO_LARGE', `A frame may have ${frameBytesMax} bytes`)
    const value = parseJson(text)
    if (value.v !== wireVersion)
      throw new MailscoutError('VERSION_UNSUPPORTED', `Frames of version ${wireVersion} are spoken here; update the older side`)
    const check = checks.get(String(value.type))
    if (check === undefined)
      throw new MailscoutError('FRAME_UNEXPECTED', `No frame is called ${JSON.stringify(value.type)?.slice(0, 60)}`)
    return check(value) as FrameOf<T>
  }
}

function parseJson(text: string): { v?: unknown; type?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  throw new MailscoutError('FRAME_MALFORMED', 'A frame is one JSON object')
}
