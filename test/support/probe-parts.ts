/** Parts of a probe that many tests need: a database in memory, an identity in a directory of its own, records to report. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Logger } from '../../common/log.ts'
import type { Health, Overdue, RouteTest, TestResult } from '../../common/wire/test.ts'
import { adoptIdentity, type Identity, loadProbeKey } from '../../probe/identity.ts'
import type { Installation } from './installation.ts'
import { uuidOf } from './plans.ts'
import { uptimeOf } from './uptime.ts'

export const probeId = uuidOf(0xabc)
export const returnAddress = 'rt@eu.probe.example'

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'mailscout-probe-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function enrolledIdentity(installation: Installation, dataDir: string, nowMs: number): Identity {
  const keyPair = loadProbeKey(dataDir)
  const certificate = installation.probeCertificate(probeId, keyPair.x, returnAddress, nowMs)
  return adoptIdentity(dataDir, keyPair, { probeId, rootX: installation.root.x, returnAddress, certificate })
}

type LogLine = { level: number; msg: string; code?: string }

/** A logger whose lines can be looked at and waited for. */
export function recordingLogger(): {
  logger: Logger
  lines: LogLine[]
  /** The first line, of those written and those to come, that the last call did not give and that has this text or code. */
  logged: (text: string) => Promise<LogLine>
} {
  const lines: LogLine[] = []
  const given = new Set<LogLine>()
  let wake = (): void => {}
  const write = (line: string): void => {
    lines.push(JSON.parse(line))
    wake()
  }
  const logged = async (text: string): Promise<LogLine> => {
    for (;;) {
      const line = lines.find((candidate) => !given.has(candidate) && (candidate.code === text || candidate.msg.includes(text)))
      if (line !== undefined) {
        given.add(line)
        return line
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { logger: pino({ level: 'trace' }, { write }), lines, logged }
}

export const resultOf = (n: number, changes: Partial<TestResult> = {}): TestResult => ({
  id: uuidOf(n),
  monitor_id: uuidOf(1),
  generation: 1,
  cause: 'slot',
  job_id: null,
  attempt: 1,
  first_test_id: null,
  slot: n,
  slot_at: 1_795_000_000_000,
  started_at: 1_795_000_000_000,
  sent_at: 1_795_000_000_100,
  returned_at: 1_795_000_001_000,
  finished_at: 1_795_000_001_000,
  outcome: 'ok',
  rtt_ms: 900.5,
  stages: [{ name: 'connect', ms: 1.5 }],
  stamp_at: 1_795_000_000_500,
  clock_offset_ms: null,
  ...uptimeOf(1_795_000_000_000, 1_795_000_001_000),
  detail: {},
  ...changes,
})

export const overdueOf = (n: number): Overdue => ({
  test_id: uuidOf(n),
  monitor_id: uuidOf(1),
  started_at: 1_795_000_000_000,
  at: 1_795_000_120_000,
})

export const routeTestOf = (n: number, changes: Partial<RouteTest> = {}): RouteTest => ({
  id: uuidOf(n),
  monitor_id: uuidOf(1),
  job_id: uuidOf(77),
  route: { mx: 'mx2.customer.example', family: 'ipv4' },
  started_at: 1_795_000_000_000,
  returned_at: null,
  finished_at: 1_795_000_001_000,
  outcome: 'refused',
  rtt_ms: null,
  clock_offset_ms: null,
  detail: {},
  ...changes,
})

export const healthy: Health = {
  version: 'test',
  inbox_ok: true,
  inbox_detail: '',
  spool_depth: 0,
  tests_running: 0,
  clock_offset_ms: null,
  clock_error_ms: null,
}
