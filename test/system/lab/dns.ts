/** The lab's DNS: authoritative for the names below, and for no others (NXDOMAIN). Every answer has a TTL of 0. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from './network.ts'
import type { Program, Programs } from './processes.ts'

/**
 * Mail for `domain` goes to `exchanger`, a name of `host`; a backup has a priority above 10. The name of the PTR record is the first that a
 * host was given.
 */
export type MailDomain = { domain: string; exchanger: string; host: Host; priority?: number }

export class Dns {
  readonly #program: Program
  readonly #file: string
  readonly #domains: MailDomain[] = []

  constructor(programs: Programs, host: Host, directory: string) {
    this.#file = join(directory, 'dnsmasq.conf')
    this.#program = programs.prepare({
      name: 'dnsmasq',
      at: host,
      command: ['/usr/sbin/dnsmasq', '--keep-in-foreground', `--conf-file=${this.#file}`],
    })
  }

  /** Adds mail domains. The server restarts for it: for some milliseconds questions stay without answer. */
  async add(...domains: readonly MailDomain[]): Promise<void> {
    this.#domains.push(...domains)
    writeFileSync(this.#file, dnsmasqConfiguration(this.#domains))
    await this.#program.stop()
    this.#program.start()
    await this.#program.awaitLog(/started, version/)
  }

  async stop(): Promise<void> {
    await this.#program.stop()
  }

  async start(): Promise<void> {
    this.#program.start()
    await this.#program.awaitLog(/started, version/)
  }
}

function dnsmasqConfiguration(domains: readonly MailDomain[]): string {
  const records = domains.flatMap(({ domain, exchanger, host, priority = 10 }) => [
    `host-record=${exchanger},${host.address}`,
    `mx-host=${domain},${exchanger},${priority}`,
    `txt-record=${domain},"v=spf1 mx -all"`,
  ])
  const fixed = ['user=root', 'no-resolv', 'no-hosts', 'local=/#/', 'local-ttl=0', 'neg-ttl=0', 'cache-size=0', 'log-facility=-']
  return `${[...fixed, ...new Set(records)].join('\n')}\n`
}
