/** How the return mailbox is connected to: bounds, pauses between failures, and what a failure says. */
import type { ImapFlowOptions } from 'imapflow'
import { errorMessage } from '../common/errors.ts'
import type { Runtime } from '../common/runtime.ts'
import { printable } from '../common/smtp/reply.ts'
import { rawBytesMax } from './inbox.ts'

export type ImapAccount = {
  host: string
  port: number
  /** TLS from the first byte; otherwise STARTTLS where it is offered. Certificates are verified in either case. */
  secure: boolean
  user: string
  password: string
  /** The authorities to trust instead of those of the runtime (PEM). */
  ca?: string
}

const backoffMsMax = 60_000
/** Providers lock accounts that fail to log in too often. */
const backoffAfterRefusalMs = 5 * 60_000

/** Every bound of the library is set: its defaults allow a server a gigabyte. */
export function clientOptions({ host, port, secure, user, password, ca }: ImapAccount): ImapFlowOptions {
  return {
    host,
    port,
    secure,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    clientInfo: { name: 'Mailscout' },
    logger: false,
    disableAutoIdle: true,
    disableCompression: true,
    connectionTimeout: 30_000,
    // The poll speaks every 30 s: a connection silent for longer than two of them is dead.
    socketTimeout: 75_000,
    maxLiteralSize: 2 * rawBytesMax,
    maxLineLength: 4 * rawBytesMax,
    maxResponseSize: 8 * rawBytesMax,
    maxResponseTokens: 100_000,
  }
}

/** From 1 s doubling up to a minute, half of it random, so that many probes do not come back at once. */
export function backoffMs(failures: number, fault: unknown, runtime: Pick<Runtime, 'randomBytes'>): number {
  const wholeMs = isRefusedLogin(fault) ? backoffAfterRefusalMs : Math.min(backoffMsMax, 1000 * 2 ** Math.min(failures - 1, 16))
  return wholeMs * (0.5 + (Buffer.from(runtime.randomBytes(4)).readUInt32BE() / 2 ** 32) * 0.5)
}

const isRefusedLogin = (error: unknown): boolean =>
  error instanceof Error && 'authenticationFailed' in error && error.authenticationFailed === true

/** imapflow says "Command failed" and keeps the server's words beside it. */
export function imapMessage(error: unknown): string {
  const words = error instanceof Error && 'responseText' in error ? String(error.responseText ?? '') : ''
  return printable(words === '' ? errorMessage(error) : `${errorMessage(error)}: ${words}`).slice(0, 300)
}
