/** One life of a probe's process: it may die before and after whatever it makes durable, and between that and what it does about it. */

/** The statements of its transactions by their names in the journal and the spool, what follows them, and what leaves the machine. */
export const crashPoints = [
  'begin',
  'save',
  'end',
  'put',
  'markReturned',
  'saveSequence',
  'dropSequence',
  'commit',
  // Durable, and nothing done about it yet: a trip begun and not sent, an answer noted, a trip ended and not told, a late mail noted.
  'begun',
  'saved',
  'ended',
  'noted',
  // With the mail server, whose answer nobody waits for any more.
  'sent',
  'job taken',
  'recorded',
  'acknowledged',
  'settled',
] as const
export type CrashPoint = (typeof crashPoints)[number]

/** Ends whatever a process was doing when it died. Nothing of the product knows it. */
export class Died extends Error {}

export class Life {
  #isOver = false
  readonly #dies: (point: CrashPoint) => boolean

  constructor(dies: (point: CrashPoint) => boolean) {
    this.#dies = dies
  }

  get isOver(): boolean {
    return this.#isOver
  }

  end(): void {
    this.#isOver = true
  }

  /** A point at which it may die; what is dead comes past none. */
  pass(point: CrashPoint): void {
    if (!this.#isOver && this.#dies(point)) this.#isOver = true
    if (this.#isOver) throw new Died(point)
  }

  /** What the outside makes it do; false where it died of it. */
  live(work: () => void): boolean {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Died)) throw error
    }
    return !this.#isOver
  }
}
