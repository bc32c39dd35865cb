/**
 * The lab's network: one namespace for each host, all joined by a router.
 *
 *   host eth0 ── veth ── router ──(delay: TUN and delay.py, for hosts that are far away)── router ── veth ── eth0 host
 *
 * Addresses 10.77.N.2/24 exist only inside the namespaces; the machine's own network is neither touched nor reachable.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Faults } from './faults.ts'
import type { Programs } from './processes.ts'

export type Host = {
  name: string
  address: string
  /** Every packet from and to this host is held back so long, each way. */
  delayMs: number
  namespace: string
  /** Files here are seen as /etc/… by the programs of this host (`ip netns exec` binds them). */
  etc: string
}

export type HostPlan = { name: string; delayMs?: number }

const python = '/usr/bin/python3'
const delayTable = 100

export class Network {
  readonly faults: Faults
  readonly prefix: string
  readonly #nameserver: string
  readonly #hosts = new Map<string, Host>()

  /** `prefix` begins the name of every namespace of this run; `nameserver` is the name of the host that runs DNS. */
  constructor(prefix: string, nameserver: string, plans: readonly HostPlan[]) {
    this.prefix = prefix
    this.#nameserver = addressOf(plans.findIndex((plan) => plan.name === nameserver) + 1)
    makeNamespace(this.routerNamespace)
    ip(this.routerNamespace, [
      'tuntap add dev delay mode tun',
      'link set delay up',
      `route add default dev delay table ${delayTable}`,
    ])
    // What comes back from the delay goes on by the ordinary table, or it would be delayed for ever.
    ip(this.routerNamespace, ['rule add priority 100 iif delay lookup main'])
    setKernel(this.routerNamespace, ['net/ipv4/ip_forward=1'])
    this.faults = new Faults(this.routerNamespace)
    for (const plan of plans) this.addHost(plan)
  }

  get routerNamespace(): string {
    return `${this.prefix}net`
  }

  /** Delays are fixed when the lab starts; a host added later is near. */
  async startDelays(programs: Programs): Promise<void> {
    const far = [...this.#hosts.values()].filter((host) => host.delayMs > 0)
    const delay = programs.start({
      name: 'delay',
      at: { namespace: this.routerNamespace },
      command: [
        python,
        join(import.meta.dirname, 'inside/delay.py'),
        'delay',
        ...far.map((host) => `${host.address}=${host.delayMs}`),
      ],
    })
    await delay.awaitLog(/holding packets back/)
  }

  host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`the lab has no host ${name}`)
    return host
  }

  addHost({ name, delayMs = 0 }: HostPlan): Host {
    const number = this.#hosts.size + 1
    const namespace = `${this.prefix}${name}`
    const host = { name, address: addressOf(number), delayMs, namespace, etc: etcOf(namespace) }
    const gateway = `10.77.${number}.1`
    mkdirSync(host.etc, { recursive: true })
    writeFileSync(join(host.etc, 'resolv.conf'), `nameserver ${this.#nameserver}\noptions timeout:2 attempts:2\n`)
    makeNamespace(namespace)
    ip(namespace, [`link add eth0 type veth peer name h${number} netns ${this.routerNamespace}`])
    ip(namespace, [`address add ${host.address}/24 dev eth0`, 'link set eth0 up', `route add default via ${gateway}`])
    ip(this.routerNamespace, [`address add ${gateway}/24 dev h${number}`, `link set h${number} up`])
    if (delayMs > 0) {
      ip(this.routerNamespace, [
        `rule add priority 200 iif h${number} lookup ${delayTable}`,
        `rule add priority 200 to ${host.address} lookup ${delayTable}`,
      ])
    }
    this.#hosts.set(name, host)
    return host
  }
}

/** Ends every process in the namespaces that begin with `prefix`, and removes these namespaces. */
export function removeNamespaces(prefix: string): void {
  for (const namespace of namespacesOf(prefix)) {
    try {
      for (let round = 0; round < 50 && killAllIn(namespace) > 0; round++) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
      }
      execFileSync('ip', ['netns', 'delete', namespace], { stdio: 'pipe' })
    } catch (error) {
      // Another run, started at the same time, may have swept the same leftovers.
      if (namespacesOf(prefix).includes(namespace)) throw error
    }
    rmSync(etcOf(namespace), { recursive: true, force: true })
  }
}

export function namespacesOf(prefix: string): string[] {
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  return listed
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(prefix))
}

/** The process ids in a namespace, zombies left out. */
export function processesIn(namespace: string): number[] {
  return execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8', stdio: 'pipe' })
    .split('\n')
    .filter(Boolean)
    .map(Number)
}

/** A process can only be in such a namespace because the lab put it or its parent there. Returns how many were found. */
function killAllIn(namespace: string): number {
  const pids = processesIn(namespace)
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself in between.
    }
  }
  return pids.length
}

function makeNamespace(namespace: string): void {
  execFileSync('ip', ['netns', 'add', namespace])
  setKernel(namespace, ['net/ipv6/conf/all/disable_ipv6=1', 'net/ipv4/conf/all/rp_filter=0', 'net/ipv4/conf/default/rp_filter=0'])
  ip(namespace, ['link set lo up'])
}

/** Kernel settings of a namespace, written as /proc names them: `sysctl` is not on every machine. */
function setKernel(namespace: string, settings: readonly string[]): void {
  const script = settings.map((setting) => setting.replace(/^(.*)=(.*)$/, 'echo $2 > /proc/sys/$1')).join('\n')
  execFileSync('ip', ['netns', 'exec', namespace, 'sh', '-e'], { input: script })
}

function ip(namespace: string, commands: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` })
}

function addressOf(number: number): string {
  return `10.77.${number}.2`
}

function etcOf(namespace: string): string {
  return join('/etc/netns', namespace)
}
