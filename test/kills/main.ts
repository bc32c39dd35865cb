/**
 * npm run test:kills -- --kills N [--seed S] [--every SECONDS] [--monitors M] [--json] [--keep]
 *
 * Kills coordinators N times (and the database and probes besides) while mail breaks and mends, then checks from the outside that
 * nothing was lost, doubled, late or stuck. Exits 1 on a fault, with the seed; its logs and the whole history are kept then.
 * SIGTERM or Ctrl-C ends it early and stops all that it had started.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createLogger } from '../../common/log.ts'
import { Random } from '../sim/random.ts'
import { judge } from './checks.ts'
import { figuresOf } from './figures.ts'
import { run } from './run.ts'

const systems = { breakable: 8, healthy: 2 }

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string' },
    every: { type: 'string', default: '5' },
    monitors: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const kills = positive('kills', values.kills)
const everyS = positive('every', values.every)
const monitorsEach = Math.ceil(positive('monitors', values.monitors) / (systems.breakable + systems.healthy))
const seed = BigInt(values.seed ?? randomBytes(6).readUIntBE(0, 6))
const directory = mkdtempSync(join(tmpdir(), 'mailscout-kills-'))
// Root runs the database as another user, who must be able to enter.
chmodSync(directory, 0o755)
const startedMs = Date.now()
const say = (line: string) => process.stderr.write(`${((Date.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${line}\n`)
const replay = `npm run test:kills -- --kills ${kills} --seed ${seed} --every ${everyS} --monitors ${monitorsEach * 10}`

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort(signal))

say(`seed ${seed}: ${replay}`)
try {
  const ran = await run({
    directory,
    ...systems,
    monitorsEach,
    random: new Random(seed),
    logger: createLogger('kills', 'fatal'),
    kills,
    everyMs: everyS * 1000,
    signal: interrupted.signal,
    say,
  })
  const faults = judge(ran.history)
  for (const { check, what } of faults.slice(0, 100)) say(`FAULT ${check}: ${what}`)
  const report = { seed: String(seed), ...figuresOf(ran, faults) }
  process.stdout.write(`${JSON.stringify(report, null, values.json ? 0 : 2)}\n`)
  writeFileSync(join(directory, 'history.json'), JSON.stringify(ran.history))
  end(faults.length > 0)
} catch (error) {
  if (interrupted.signal.aborted) say(`ended early by ${interrupted.signal.reason}: nothing was judged`)
  else console.error(error)
  end(true)
}

function end(failed: boolean): never {
  if (failed || values.keep) say(`seed ${seed}; logs and history are kept in ${directory}`)
  else rmSync(directory, { recursive: true, force: true })
  process.exit(failed ? 1 : 0)
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (number > 0) return number
  process.stderr.write(`--${name} must be a number above 0, not ${text}\n`)
  process.exit(2)
}
