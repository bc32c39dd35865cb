/** What a connected probe is told: its manifest and pages, its jobs, its certificate. */
import { assignmentsPerPageMax, manifestValidMs } from '../../common/limits.ts'
import { wireVersion } from '../../common/wire/frames.ts'
import { sha256 } from '../../common/wire/keys.ts'
import { seal } from '../../common/wire/seal.ts'
import type { Assignment } from '../../common/wire/test.ts'
import { lockManifest, readOrders, saveManifest } from '../store/assignments.ts'
import { markJobsSent, readJobsToSend } from '../store/probe-link.ts'
import type { HubContext, Session } from './context.ts'

/** Half of the limit: pages fill unevenly, and a page over the limit would double their number. */
const assignmentsPerPage = assignmentsPerPageMax / 2

/** Sends the manifest: a new version where the orders have changed, else (unless `if changed`) the old one with a later end. */
export async function sendManifest(
  context: HubContext,
  session: Session,
  when: 'always' | 'if changed' = 'always',
): Promise<void> {
  const { keys, runtime, references, database } = context
  const { orders, version } = await database.system.begin(async (sql) => {
    const last = await lockManifest(sql, session.probe.id)
    const orders = await readOrders(sql, session.probe.id)
    const hash = sha256(JSON.stringify([orders, references]))
    if (hash === last.hash) return { orders, version: last.version }
    await saveManifest(sql, session.probe.id, { version: last.version + 1, hash })
    return { orders, version: last.version + 1 }
  })
  if (when === 'if changed' && version === session.manifestVersion) return
  session.manifestVersion = version
  const sealed = await Promise.all(
    paginate(orders).map((assignments) =>
      seal('page', { assignments }, { key: keys.signing, issuer: keys.installation, audience: session.probe.id }),
    ),
  )
  session.pages = new Map(sealed.map((page) => [sha256(page), page]))
  const nowMs = runtime.wallMs()
  const manifest = await seal(
    'manifest',
    { version, valid_until: nowMs + manifestValidMs, page_hashes: [...session.pages.keys()], references },
    {
      key: keys.signing,
      issuer: keys.installation,
      audience: session.probe.id,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + manifestValidMs,
    },
  )
  session.send({ v: wireVersion, type: 'manifest', manifest })
}

export function sendPages(session: Session, hashes: string[]): void {
  for (const hash of hashes) {
    const page = session.pages.get(hash)
    if (page !== undefined) session.send({ v: wireVersion, type: 'page', hash, page })
  }
}

/** Sends the jobs that wait for this probe, each once a session. */
export async function sendJobs(context: HubContext, session: Session): Promise<void> {
  const { keys, database } = context
  const jobs = (await readJobsToSend(database.system, session.probe.id)).filter((job) => !session.jobsSent.has(job.id))
  // Noted before the first pause: another call in between would send them again.
  for (const { id } of jobs) session.jobsSent.add(id)
  for (const { id, cause, plan, created_at, expires_at } of jobs) {
    const job = await seal(
      'job',
      { id, cause, plan },
      {
        key: keys.signing,
        issuer: keys.installation,
        audience: session.probe.id,
        issuedAtMs: created_at,
        expiresAtMs: expires_at,
        id,
      },
    )
    session.send({ v: wireVersion, type: 'job', job })
  }
  if (jobs.length > 0)
    await markJobsSent(
      database.system,
      jobs.map((job) => job.id),
    )
}

/**
 * Spreads assignments over pages by their id, so that one change touches one page. The number of pages is a power of two, so that
 * growth rarely moves anything.
 */
export function paginate(assignments: readonly Assignment[]): Assignment[][] {
  for (let count = powerOfTwoFrom(assignments.length / assignmentsPerPage); ; count *= 2) {
    const pages = Array.from({ length: count }, (): Assignment[] => [])
    // The last eight digits of a UUIDv7 are random.
    for (const assignment of assignments) pages[Number.parseInt(assignment.id.slice(-8), 16) % count]?.push(assignment)
    if (pages.every((page) => page.length <= assignmentsPerPageMax)) return pages.filter((page) => page.length > 0)
  }
}

const powerOfTwoFrom = (atLeast: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, atLeast))))
