/** What is known of a mailbox: up to which UID it was read, what is to be tried again, what is to be purged. Pure. */

/** A mail that cannot be recorded this often is left where it is, or it would be fetched for ever. */
export const triesMax = 5
/** As many mails as one round takes on; the rest follow in the next. */
export const batchMax = 100
/** The server keeps refusing to purge: what we remember of it is bounded, the mails stay. */
const purgeMax = 1000

export class ImapCursor {
  #uidValidity: bigint | undefined
  #lastUid = 0
  readonly #failures = new Map<number, number>()
  readonly #toPurge = new Set<number>()

  /**
   * To be called whenever the mailbox was selected. Under another UIDVALIDITY the UIDs name other mails (RFC 9051 §2.3.1.1): all
   * that was known is void, above all what was to be purged. True when that happened.
   */
  opened(uidValidity: bigint): boolean {
    const changed = this.#uidValidity !== undefined && this.#uidValidity !== uidValidity
    this.#uidValidity = uidValidity
    if (changed) {
      this.#lastUid = 0
      this.#failures.clear()
      this.#toPurge.clear()
    }
    return changed
  }

  /** Up to where the mailbox was read; 0 before the first mail. */
  get lastUid(): number {
    return this.#lastUid
  }

  /** What to fetch, of the UIDs that a search above `lastUid` found: those that are new, in order, and those that failed before. */
  pick(found: readonly number[]): number[] {
    // `n:*` names the last mail even where its UID is below n (RFC 9051 §9, seq-range).
    const fresh = [...new Set(found)].filter((uid) => uid > this.#lastUid).sort((a, b) => a - b)
    return [...this.#failures.keys(), ...fresh].slice(0, batchMax)
  }

  recorded(uid: number): void {
    this.passed(uid)
    if (this.#toPurge.size < purgeMax) this.#toPurge.add(uid)
  }

  /** Not ours, or gone meanwhile: never looked at again. */
  passed(uid: number): void {
    this.#failures.delete(uid)
    this.#lastUid = Math.max(this.#lastUid, uid)
  }

  /** True when the mail is given up. */
  failed(uid: number): boolean {
    const tries = (this.#failures.get(uid) ?? 0) + 1
    this.passed(uid)
    if (tries >= triesMax) return true
    this.#failures.set(uid, tries)
    return false
  }

  /** Only mails that were recorded as ours, at most a batch. */
  purgeable(): number[] {
    return [...this.#toPurge].slice(0, batchMax)
  }

  purged(uids: readonly number[]): void {
    for (const uid of uids) this.#toPurge.delete(uid)
  }
}
