/**
 * `npm start`: everything on this machine with nothing to configure, to see Mailscout work: the coordinator with its embedded database,
 * three probes, two mail systems made of the responder, a demo customer and monitor with short times. Data and keys stay in
 * DATA_DIR (./data); a second start goes on where the first stopped.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { type Api, createApi } from './api.ts'
import { buildWeb } from './build-web.ts'
import { type DemoRegion, demoDomains, demoRegions, responderConfig, returnAddress, setUpMonitor, setUpProbe } from './demo.ts'
import { type Child, startChild } from './trial-child.ts'
import { runningTrial } from './trial-process.ts'

type TrialState = { operatorKey: string; ports: Record<string, number> }

const root = join(import.meta.dirname, '..')
const dataDir = resolve(process.env.DATA_DIR ?? join(root, 'data'))
const port = Number(process.env.PORT ?? 8080)
const address = `http://localhost:${port}`
const pidFile = join(dataDir, 'trial.pid')
const orderFile = join(dataDir, 'trial.order')
const children: Child[] = []

let stopping = false
let claimed = false
let obey = (_order: string): void => {}
process.on('SIGUSR2', () => obey(readFileSync(orderFile, 'utf8')))
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(0))

try {
  await start()
} catch (error) {
  // Where a part has ended, that has been said already, and it is the reason.
  if (!stopping) console.error(`\n  Mailscout did not start: ${error instanceof Error ? error.message : String(error)}\n`)
  await stop(1)
}

async function start(): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 })
  await claim()
  const state = await loadState()
  console.log('  building the dashboard …')
  await buildWeb()
  console.log('  starting the coordinator and its database …')
  await run('coordinator', ['coordinator/main.ts'], {
    PORT: String(port),
    HOST: process.env.HOST ?? '127.0.0.1',
    DATA_DIR: join(dataDir, 'coordinator'),
    PUBLIC_URL: address,
    MAILSCOUT_OPERATOR_KEY: state.operatorKey,
    MAILSCOUT_REFERENCES: `scout@${demoDomains.reference}=127.0.0.1:${state.ports.reference}`,
    MAILSCOUT_OPERATOR_PHONE: '+61400000001',
  }).ready('coordinator ready')
  const api = createApi(`http://127.0.0.1:${port}`, state.operatorKey)
  const customer = await startMailSystems(api, state)
  const started = await Promise.all(demoRegions.map((region) => startProbe(api, region, state)))
  await setUpMonitor(api, { host: '127.0.0.1', port: state.ports.customer ?? 0 })
  controlCustomer(customer)
  greet(
    state,
    demoRegions.filter((_, at) => started[at]),
  )
}

async function startMailSystems(api: Api, state: TrialState): Promise<Child> {
  const routes = Object.fromEntries(demoRegions.map((region) => [`${region}.probe.example`, `127.0.0.1:${state.ports[region]}`]))
  const [customer, reference] = await Promise.all(
    (['customer', 'reference'] as const).map(async (system) => {
      const config = { ...(await responderConfig(api, routes)), state_dir: join(dataDir, system) }
      const path = join(dataDir, `${system}.json`)
      writeFileSync(path, JSON.stringify(config, null, 2))
      const child = run(system, ['responder/main.ts', 'sink', '--listen', `127.0.0.1:${state.ports[system]}`], {
        MAILSCOUT_RESPONDER_CONFIG: path,
      })
      await child.ready('listening')
      return child
    }),
  )
  if (customer === undefined || reference === undefined) throw new Error('the mail systems did not start')
  return customer
}

/** False where somebody has retired it: the coordinator would refuse it for ever. */
async function startProbe(api: Api, region: DemoRegion, state: TrialState): Promise<boolean> {
  const { retired, token } = await setUpProbe(api, region)
  if (retired) {
    console.log(`  The probe demo-${region} was retired and is not started. Without ${dataDir} the trial begins anew.`)
    return false
  }
  await run(`probe-${region}`, ['probe/main.ts'], {
    DATA_DIR: join(dataDir, `probe-${region}`),
    // The coordinator's, where it is set; a probe of the trial opens no port of its own.
    PORT: '',
    MAILSCOUT_COORDINATORS: `ws://127.0.0.1:${port}/probe`,
    MAILSCOUT_RETURN_ADDRESS: returnAddress(region),
    MAILSCOUT_INBOX: `smtp://127.0.0.1:${state.ports[region]}`,
    MAILSCOUT_ALLOW_TARGETS: '127.0.0.0/8',
    MAILSCOUT_NTP: 'off',
    ...(token === null ? {} : { MAILSCOUT_ENROLMENT_TOKEN: token }),
  }).ready('probe ready')
  return true
}

/** A part of the trial; the trial ends with any of them, but for the customer's mail system, which is there to be broken. */
function run(name: string, args: string[], environment: Record<string, string>): Child {
  const child = startChild({ name, args, environment, root, logFile: join(dataDir, 'logs', `${name}.log`) })
  children.push(child)
  child.ended.then((how) => {
    if (stopping || child.stoppedOnPurpose()) return
    console.error(`\n  ${name} has ended (${how}). Its log is ${child.logFile} and ends with\n\n${child.lastLines()}\n`)
    void stop(1)
  })
  return child
}

/** `npm run trial:break` and `trial:mend` leave a word in a file and send a signal: the mail system stops, or starts again. */
function controlCustomer(customer: Child): void {
  obey = (order) => {
    if (order === 'break' && !customer.stoppedOnPurpose()) {
      console.log(
        "\n  The customer's mail system has been stopped. An incident should open in about half a minute; one that is still" +
          ' open goes on, and nobody hears of it twice.',
      )
      void customer.stop()
    }
    if (order === 'mend' && customer.stoppedOnPurpose()) {
      console.log(
        "\n  The customer's mail system is running again. The incident should end with the next round trips; one that was" +
          ' the second within the hour, after half an hour of mail.',
      )
      customer.restart()
    }
  }
}

function greet(state: TrialState, regions: readonly DemoRegion[]): void {
  // The other commands look for the trial where its data are.
  const theSame = process.env.DATA_DIR === undefined ? '' : `DATA_DIR='${dataDir}' `
  console.log(`
  Mailscout is running.

    Dashboard       ${address}/#key=${state.operatorKey}
    API reference   ${address}/docs
    Operator's key  ${state.operatorKey}
    Logs            ${join(dataDir, 'logs')}

  Each probe (${regions.join(', ')}) sends a mail to scout@${demoDomains.customer} every 10 s and waits for it to come back.

    Break the customer's mail    ${theSame}npm run trial:break
    and mend it                  ${theSame}npm run trial:mend

  When two regions agree that mail has stopped, the SMS appears here. Ctrl-C stops everything.
`)
}

async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  // The coordinator last: the probes hand in what they have.
  const [coordinator, ...others] = children
  await Promise.all(others.map((child) => child.stop()))
  await coordinator?.stop()
  if (claimed) rmSync(pidFile, { force: true })
  process.exit(code)
}

/** The data belong to one trial at a time. */
async function claim(): Promise<void> {
  const pid = await runningTrial(pidFile)
  if (pid !== undefined) throw new Error(`it is running already with the data in ${dataDir}, as process ${pid}`)
  writeFileSync(pidFile, String(process.pid))
  claimed = true
}

/** Key and ports are chosen at the first start and kept, because monitors and mail systems refer to them. */
async function loadState(): Promise<TrialState> {
  const path = join(dataDir, 'trial.json')
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as TrialState
  const ports: Record<string, number> = {}
  for (const name of ['customer', 'reference', ...demoRegions]) ports[name] = await freePort()
  const state = { operatorKey: randomBytes(32).toString('base64url'), ports }
  writeFileSync(path, JSON.stringify(state, null, 2), { mode: 0o600 })
  return state
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      server.close(() => done(typeof bound === 'object' && bound !== null ? bound.port : 0))
    })
  })
}
