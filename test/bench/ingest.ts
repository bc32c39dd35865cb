/**
 * `ingest`: results per second from signed frames to committed rows, as the probe link handles them, beside a bare batched INSERT by
 * postgres.js of the same rows into the same table, with the same indexes, ON CONFLICT, batch size and concurrency. Each lane is a probe
 * of its own, because the frames of one probe are handled one after the other.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../common/log.ts'
import { publicKeyFromX } from '../../common/mail/jws.ts'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import { readProbeFrame, wireVersion, writeFrame } from '../../common/wire/frames.ts'
import { createKeyPair, type KeyPair } from '../../common/wire/keys.ts'
import { open, seal } from '../../common/wire/seal.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { initialMonitorState } from '../../coordinator/core/judgement.ts'
import { ingestBatch } from '../../coordinator/flow/ingest.ts'
import { connect, type DatabaseAddress } from '../../coordinator/store/connection.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { startEmbeddedPostgres } from '../../coordinator/store/embedded.ts'
import { uptimeOf } from '../support/uptime.ts'
import { median, type Row } from './report.ts'

const batchSize = 200
const batchesPerLane = 20
/** Fewer than the pool has connections, and enough that the time of a round trip does not matter. */
const lanes = 8
const runs = 9
const monitors = 10_000
const installation = 'mailscout:bench'
const audience = { issuer: 'probe', audience: installation }

export async function benchIngest(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'mailscout-bench-'))
  const embedded =
    process.env.DATABASE_URL === undefined
      ? await startEmbeddedPostgres({ dataDir: folder, logger: silentLogger, runtime: systemRuntime })
      : null
  const address = process.env.DATABASE_URL ?? embedded?.connection ?? ''
  const database = await openDatabase({ address, logger: silentLogger, runtime: systemRuntime })
  try {
    const world = await seed(database)
    await analyze(address)
    const ours: number[] = []
    const floor: number[] = []
    // In turn, so that a drifting machine strikes both alike; the first round warms up.
    for (let run = 0; run <= runs; run++) {
      const frames = await Promise.all(world.probes.map((probe) => Promise.all(eachBatch(() => sealedFrame(world, probe)))))
      const oursPerSecond = await perSecond(world, frames, (probe, frame) => receive(database, probe, frame))
      const rows = world.probes.map(() => eachBatch(() => makeResults(world)))
      const floorPerSecond = await perSecond(world, rows, (probe, results) => bareInsert(database, world, probe, results))
      if (run === 0) continue
      ours.push(oursPerSecond)
      floor.push(floorPerSecond)
    }
    const ratio = median(ours.map((value, index) => value / (floor[index] ?? Number.NaN)))
    return {
      row: 'ingest',
      ours: median(ours),
      floor: median(floor),
      ratio,
      goal: 'at least 0.70 of it, and 2,500/s',
      met: ratio >= 0.7 && median(ours) >= 2500,
      unit: 'results/s',
      runs,
    }
  } finally {
    await database.close()
    await embedded?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const eachBatch = <T>(make: () => T): T[] => Array.from({ length: batchesPerLane }, make)

/** All lanes at once; each handles its own work in order. */
async function perSecond<T>(
  world: World,
  work: T[][],
  handle: (probe: BenchProbe, item: T) => Promise<unknown>,
): Promise<number> {
  const startedMs = systemRuntime.monotonicMs()
  const lane = async (probe: BenchProbe, index: number) => {
    for (const item of work[index] ?? []) await handle(probe, item)
  }
  await Promise.all(world.probes.map(lane))
  return (batchSize * batchesPerLane * lanes * 1000) / (systemRuntime.monotonicMs() - startedMs)
}

/** What the probe link does with a frame, from its text to the committed rows. */
async function receive(database: Database, { id, key }: BenchProbe, text: string): Promise<void> {
  const frame = readProbeFrame(text)
  if (frame.type !== 'batch') throw new Error('not a batch')
  const { body } = await open('result_batch', frame.batch, {
    ...audience,
    trustedKey: (kid) => (kid === key.kid ? publicKeyFromX(key.x) : undefined),
    nowMs: systemRuntime.wallMs(),
    maxAgeMs: 600_000,
  })
  const refused = await ingestBatch({ database, logger: silentLogger }, { id, region: 'eu' }, body)
  if (refused.length > 0) throw new Error(`refused: ${refused[0]?.detail}`)
}

async function sealedFrame(world: World, { key }: BenchProbe): Promise<string> {
  const id = uuidv7(systemRuntime)
  const health = {
    version: '0',
    inbox_ok: true,
    inbox_detail: '',
    spool_depth: 0,
    tests_running: 0,
    clock_offset_ms: null,
    clock_error_ms: null,
  }
  const body = { boot_id: 'bench', health, results: makeResults(world), overdues: [], lates: [], controls: [] }
  const batch = await seal('result_batch', body, { ...audience, key, issuedAtMs: systemRuntime.wallMs(), id })
  return writeFrame({ v: wireVersion, type: 'batch', id, batch })
}

type BenchProbe = { id: string; key: KeyPair }
type World = { customerId: string; probes: BenchProbe[]; monitorIds: string[]; epochMs: number; next: number }

const periodMs = 1_200_000

function makeResults(world: World): TestResult[] {
  return Array.from({ length: batchSize }, (): TestResult => {
    const n = world.next++
    const slot = Math.floor(n / monitors)
    const startedMs = world.epochMs + slot * periodMs
    return {
      id: uuidv7(systemRuntime),
      monitor_id: world.monitorIds[n % monitors] ?? '',
      generation: 1,
      cause: 'slot',
      job_id: null,
      attempt: 1,
      first_test_id: null,
      slot,
      slot_at: startedMs,
      started_at: startedMs,
      sent_at: startedMs + 40,
      returned_at: startedMs + 900,
      finished_at: startedMs + 901,
      outcome: 'ok',
      rtt_ms: 900.25,
      stages: ['connect', 'banner', 'ehlo', 'starttls', 'tls', 'ehlo2', 'mail', 'rcpt', 'data', 'accept'].map((name) => ({
        name,
        ms: 3.5,
      })),
      stamp_at: startedMs + 450,
      clock_offset_ms: 0.4,
      ...uptimeOf(startedMs, startedMs + 901),
      detail: { mx: 'mx.customer.example', address: '192.0.2.1', attempts: 1, via: 'smtp', responder_version: '0.1.0' },
    }
  })
}

async function bareInsert({ system: sql }: Database, world: World, probe: BenchProbe, results: TestResult[]): Promise<void> {
  const rows = results.map(({ slot: _, ...result }) => ({
    customer_id: world.customerId,
    probe_id: probe.id,
    region: 'eu',
    ...result,
    stages: sql.json(result.stages),
    detail: sql.json(result.detail),
  }))
  await sql`insert into results ${sql(rows as never)} on conflict do nothing`
}

/** Ten thousand monitors of one customer, all held by every probe, quiet. */
async function seed(database: Database): Promise<World> {
  const id = () => uuidv7(systemRuntime)
  const [levelId, customerId] = [id(), id()]
  const probes = Array.from({ length: lanes }, () => ({ id: id(), key: createKeyPair() }))
  const monitorIds = Array.from({ length: monitors }, id)
  const epochMs = Math.floor(systemRuntime.wallMs() / periodMs) * periodMs - 100 * periodMs
  const sql = database.system
  await sql`insert into service_levels (id, name, vantages, quorum, period_min_s, mode, channels, sms_per_day)
    values (${levelId}, ${levelId}, 3, 2, 60, 'seed', '{sms}', 20)`
  await sql`insert into customers (id, name, service_level_id) values (${customerId}, 'bench', ${levelId})`
  for (const probe of probes) await sql`insert into probes (id, name, region) values (${probe.id}, ${probe.id}, 'eu')`
  await sql`
    insert into monitors (customer_id, id, name, kind, target, period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, vantages,
      quorum, mode, accept_echo, epoch_at, assign_at)
    select ${customerId}, id, 'bench', 'roundtrip', '{"address":"scout@customer.example"}', 1200, 600, 120, 30, 180, 300, 3, 2, 'seed', false,
      ${epochMs}, null from unnest(${monitorIds}::uuid[]) as made (id)`
  await sql`
    insert into monitor_states (customer_id, monitor_id, state, decision, decision_reason, decision_since, quiet)
    select ${customerId}, id, ${sql.json(initialMonitorState(epochMs))}, 'up', 'all_well', now(), true from unnest(${monitorIds}::uuid[]) as made (id)`
  const plan = { period_s: periodMs / 1000, target: { address: 'scout@customer.example' } }
  await sql`
    insert into assignments (customer_id, id, monitor_id, probe_id, generation, phase_ms, first_slot, epoch_ms, plan)
    select ${customerId}, gen_random_uuid(), monitor_id, probe_id, 1, 0, 0, ${epochMs}, ${sql.json(plan)}
    from unnest(${monitorIds}::uuid[]) as made (monitor_id), unnest(${probes.map((probe) => probe.id)}::uuid[]) as held (probe_id)`
  return { customerId, probes, monitorIds, epochMs, next: 0 }
}

/** As autovacuum would have done within minutes; it takes the tables' owner. */
async function analyze(address: DatabaseAddress): Promise<void> {
  const sql = connect(address, { name: 'bench', connectionsMax: 1, statementMsMax: 0, lockMsMax: 0 })
  await sql`analyze`
  await sql.end()
}
