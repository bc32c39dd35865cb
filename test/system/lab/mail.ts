/** Mail by hand, from any host of the lab. */
import { join } from 'node:path'
import { mustRunInside, type Place } from './processes.ts'

export type Delivery = {
  ok: boolean
  /** What the server said, or the error that kept us from hearing it. */
  reply: string
  mx?: string
  connectMs?: number
  totalMs: number
}

export type MailOrder = { from: string; to: string; raw: string; mx?: string }

/** Delivers to the MX of the recipient's domain, looked up from that host, or to `mx`. Gives up connecting after 4 s. */
export async function sendMail(from: Place, order: MailOrder): Promise<Delivery> {
  const script = join(import.meta.dirname, 'inside/send-mail.ts')
  return JSON.parse(await mustRunInside(from, [process.execPath, script], { input: JSON.stringify(order) })) as Delivery
}

/** A small plain mail with this subject. */
export function plainMail(from: string, to: string, subject: string): string {
  const headers = [`From: ${from}`, `To: ${to}`, `Subject: ${subject}`, `Date: ${new Date().toUTCString()}`]
  return [...headers, `Message-ID: <${crypto.randomUUID()}@lab.test>`, '', 'Hello from the lab.', ''].join('\r\n')
}

/** The raw mails in a mailbox, read over IMAPS from that host. */
export async function readMailbox(
  from: Place,
  mailbox: { host: string; user: string; password: string; authorityFile: string },
): Promise<string[]> {
  const script = join(import.meta.dirname, 'inside/read-mailbox.ts')
  const command = [process.execPath, script, mailbox.host, mailbox.user, mailbox.password]
  return JSON.parse(await mustRunInside(from, command, { env: { NODE_EXTRA_CA_CERTS: mailbox.authorityFile } })) as string[]
}
