/** Installs the Debian packages that the lab runs. Nothing is configured on the machine and no daemon is started on it. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'

/** Package, and the file (a glob) that shows that it is there already. */
export type Wanted = readonly [name: string, proof: string]

const ofTheLab: readonly Wanted[] = [
  ['iproute2', '/{usr/,}{s,}bin/ip'],
  ['nftables', '/usr/sbin/nft'],
  ['openssl', '/usr/bin/openssl'],
  ['python3-minimal', '/usr/bin/python3'],
  ['dnsmasq-base', '/usr/sbin/dnsmasq'],
  ['postfix', '/usr/sbin/postfix'],
  ['dovecot-imapd', '/usr/lib/dovecot/imap'],
  ['postgresql', '/usr/lib/postgresql/*/bin/initdb'],
]

const policy = '/usr/sbin/policy-rc.d'

/** What the lab runs, and `more`. Throws with the end of apt's output when a package cannot be had. */
export function install(more: readonly Wanted[] = []): void {
  if (process.getuid?.() !== 0) throw new Error('the system tests make network namespaces: run them as root')
  ensureTunDevice()
  const missing = [...ofTheLab, ...more].filter(([, proof]) => globSync(proof).length === 0).map(([name]) => name)
  if (missing.length === 0) return
  console.error(`lab: installing ${missing.join(', ')}`)
  withoutStartingDaemons(() => {
    // Debian's Postfix would write a configuration for this machine: the lab brings its own.
    spawnSync('debconf-set-selections', { input: 'postfix postfix/main_mailer_type select No configuration\n' })
    if (aptInstall(missing).status === 0) return
    apt(['update'])
    const second = aptInstall(missing)
    if (second.status !== 0) throw new Error(`apt-get install ${missing.join(' ')} failed:\n${second.output.slice(-3000)}`)
  })
}

function aptInstall(names: readonly string[]) {
  return apt(['install', '-y', '--no-install-recommends', ...names])
}

function apt(args: readonly string[]): { status: number | null; output: string } {
  const done = spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 64 * 1024 * 1024,
  })
  return { status: done.status, output: `${done.stdout}${done.stderr}` }
}

/** Debian asks /usr/sbin/policy-rc.d before it starts a daemon of a package; a container image may bring one, which stays. */
function withoutStartingDaemons(act: () => void): void {
  const ours = !existsSync(policy)
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  try {
    act()
  } finally {
    if (ours) rmSync(policy)
  }
}

function ensureTunDevice(): void {
  if (existsSync('/dev/net/tun')) return
  mkdirSync('/dev/net', { recursive: true })
  spawnSync('mknod', ['/dev/net/tun', 'c', '10', '200'])
}
