/**
 * `probe-cpu-round-trip`: what a round trip costs the machine that tests, in CPU time of all processes there, beside Nagios
 * check_email_delivery. Both send to the same customer's Postfix at the same time, and a .forward there sends the mail on: ours to the
 * responder, which returns it to the probe's own SMTP inbox, theirs to a mailbox that the plugin reads over IMAPS.
 */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { errorMessage } from '../../common/errors.ts'
import type { Result } from '../system/lab/api.ts'
import { install, type Wanted } from '../system/lab/install.ts'
import { Lab, removeLeftovers, removeRun } from '../system/lab/lab.ts'
import { Mailscout, type Region } from '../system/lab/mailscout.ts'
import { mustRunInside } from '../system/lab/processes.ts'
import { until } from '../system/lab/until.ts'
import type { Watched } from '../system/lab/watched.ts'
import { median, type Row } from './report.ts'

const plugin = '/usr/lib/nagios/plugins/check_email_delivery'
const peerPackages: readonly Wanted[] = [
  ['monitoring-plugins-contrib', plugin],
  ['libmail-imapclient-perl', '/usr/share/perl5/Mail/IMAPClient.pm'],
  ['libio-socket-ssl-perl', '/usr/share/perl5/IO/Socket/SSL.pm'],
]
/** Where the plugin runs, beside the probe that is measured. */
const region: Region = 'eu'
/** Four tests a second, as with 5,000 monitors of the default period. */
const monitorCount = 8
const settings = { period_s: 2, timeout_s: 30, slow_s: 10, retest_wait_s: 30, open_period_s: 2 }
/** Both together stay below the 600 answers an hour that a responder gives one probe. */
const warmUpTests = 120
const measuredTests = 240
const peerRuns = 20
const withinMs = 150_000
const ratioMax = 1 / 40
/** The responder that the lab keeps running: one that is started for each mail would take the time of the machine that is measured. */
const referenceAddress = 'scout@reference.test'
/** Of /proc/PID/stat; 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** The row, or why it cannot be measured on this machine. */
export async function benchProbeCpu(): Promise<Row | string> {
  if (process.getuid?.() !== 0) return 'it makes network namespaces and installs Debian packages: run it as root'
  if (!existsSync('/usr/bin/apt-get')) return 'it needs Debian packages'
  try {
    install(peerPackages)
  } catch (error) {
    return errorMessage(error)
  }
  removeLeftovers()
  const runId = String(process.pid)
  removeRun(runId)
  try {
    const lab = new Lab(runId)
    await lab.start()
    return await measure(lab, await Mailscout.start(lab))
  } finally {
    removeRun(runId)
  }
}

async function measure(lab: Lab, mailscout: Mailscout): Promise<Row> {
  const monitors: Watched[] = []
  for (let i = 1; i <= monitorCount; i++) {
    const user = `bench${i}`
    // The first mail comes before the .forward and waits for it.
    lab.customer.hold(user)
    monitors.push(await mailscout.watch(user, { settings, forward: 'none' }))
    lab.customer.setForward(user, referenceAddress)
    await lab.customer.release(user)
  }
  await until('the warm-up', async () => (await returnsIn(monitors, region, 0)) >= warmUpTests, { withinMs, everyMs: 1000 })

  const peer = await preparePeer(lab)
  await peer()
  const startedMs = Date.now()
  const before = cpuMsOf(mailscout)
  const peerMs: number[] = []
  while (peerMs.length < peerRuns) peerMs.push(await peer())
  const enough = async () => (await returnsIn(monitors, region, startedMs)) >= measuredTests
  await until(`${measuredTests} round trips`, enough, { withinMs, everyMs: 1000 })
  const after = cpuMsOf(mailscout)
  const endedMs = Date.now()
  // The last results are still on their way to the API.
  await pause(3000)
  const perTest = async (of: Region) => (after[of] - before[of]) / (await returnsIn(monitors, of, startedMs, endedMs))

  const ours = await perTest(region)
  const floor = median(peerMs)
  const imap = await perTest('ap')
  console.error(
    `probe-cpu-round-trip: with an IMAP mailbox for returns instead of the own SMTP inbox ${imap.toPrecision(3)} ms CPU`,
  )
  const ratio = ours / floor
  return {
    row: 'probe-cpu-round-trip',
    ours,
    floor,
    ratio,
    goal: 'at most 1/40 (0.025) of it',
    met: ratio <= ratioMax,
    unit: 'ms CPU',
    runs: await returnsIn(monitors, region, startedMs, endedMs),
  }
}

/** How many mails of these monitors returned to the probe in time. */
async function returnsIn(monitors: Watched[], of: Region, fromMs: number, toMs = Number.POSITIVE_INFINITY): Promise<number> {
  const results = (await Promise.all(monitors.map((monitor) => monitor.results()))).flat()
  const counts = ({ region: where, outcome, returned_at }: Result) => {
    const returnedMs = returned_at === null ? Number.NaN : Date.parse(returned_at)
    return where === of && outcome === 'ok' && returnedMs >= fromMs && returnedMs < toMs
  }
  return results.filter(counts).length
}

/** User and system time of each probe so far, its idling included. A probe has no children. */
function cpuMsOf({ parts: { probes } }: Mailscout): Record<Region, number> {
  const cpuMs = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Fields 14 and 15; the second, the name in brackets, may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
  }
  return { eu: cpuMs(probes.eu.pid), us: cpuMs(probes.us.pid), ap: cpuMs(probes.ap.pid) }
}

/** Gives the customer an address that forwards to a mailbox, and returns one run of the plugin: its CPU time in ms, children included. */
async function preparePeer(lab: Lab): Promise<() => Promise<number>> {
  const password = 'read-my-checks'
  const mailbox = lab.returns.addUser('nagios')
  lab.dovecot.setPassword('nagios', password)
  const address = lab.customer.addUser('nagios', mailbox)
  const words = ['-H', lab.customer.hostname, '--mailto', address, '--mailfrom', mailbox]
  words.push('--imap-server', lab.returns.hostname, '--imap-port', '993', '--imapssl', '-U', 'nagios', '-P', password)
  // The plugin would log in to the SMTP server with this name too, which MX hosts do not offer.
  words.push('--smtp-username', '', '--smtp-password', '')
  // Waiting costs no CPU, and looking again would.
  words.push('--wait', '1', '--imap-check-interval', '1', '--imap-retries', '10')
  const env = { SSL_CERT_FILE: lab.returnMailbox.authorityFile }
  const script = `${plugin} "$@" || exit; times`
  return async () => {
    const said = await mustRunInside(lab.host(region), ['bash', '-c', script, 'bash', ...words], { env })
    // The last line is of the children, as in `0m0.183s 0m0.041s`.
    const times = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(said)
    if (!said.includes('EMAIL DELIVERY OK') || times === null) throw new Error(`check_email_delivery: ${said}`)
    const [, userMin, userS, systemMin, systemS] = times.map(Number)
    return (((userMin ?? 0) + (systemMin ?? 0)) * 60 + (userS ?? 0) + (systemS ?? 0)) * 1000
  }
}
