/** Where returned mail arrives: the probe's own SMTP listener (`inbox-smtp.ts`) or a mailbox elsewhere (`inbox-imap.ts`). */

export type ReturnedMail = {
  /** The mail as it arrived; of a longer one the first `rawBytesMax` bytes. */
  raw: Buffer
  /** The end of DATA, or for IMAP the instant at which the mailbox announced the mail. */
  receivedAtWallMs: number
  receivedAtMonotonicMs: number
  /** When the connection that brought it was opened; own listener only. */
  connectedAtMonotonicMs?: number
  envelope?: { from: string; to: string }
  via: 'smtp' | 'imap'
  /** When the mailbox says that it received the mail, by the clock of that server. */
  internalDateMs?: number
}

/**
 * Resolves once the mail is safely recorded, or known not to be ours; only then is the sender told 250, or the mail purged.
 * A rejection makes the inbox ask again: 451 by SMTP, another try by IMAP.
 */
export type OnMail = (mail: ReturnedMail) => Promise<'recorded' | 'not_ours'>

export type InboxState = {
  ok: boolean
  /** For a person: what it listens to, or what is wrong. */
  detail: string
  /** Since when `ok` is as it is. */
  sinceWallMs: number
}

export type Inbox = {
  /** Own listener: resolves when mail can arrive, rejects when it never will. IMAP: begins, and goes on trying. */
  start(): Promise<void>
  stop(): Promise<void>
  state(): InboxState
  /** Running totals for metrics, by name. */
  counters(): Readonly<Record<string, number>>
}

/** A returned mail has some 10 KiB; a bounce may carry more around it. */
export const rawBytesMax = 256 * 1024

/** Keeps `sinceWallMs` while only the detail changes. */
export function inboxStateAfter(before: InboxState, ok: boolean, detail: string, wallMs: number): InboxState {
  return { ok, detail, sinceWallMs: before.ok === ok ? before.sinceWallMs : wallMs }
}
