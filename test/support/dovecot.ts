/** A Dovecot of its own in a directory of its own, on free ports of loopback; for tests of what reads a mailbox. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { TestCertificate } from './certificate.ts'

const program = '/usr/sbin/dovecot'

/** Why the tests with Dovecot cannot run here; undefined when they can. */
export function whyNoDovecot(): string | undefined {
  if (!existsSync(program)) return 'dovecot-imapd is not installed'
  try {
    const version = execFileSync(program, ['--version'], { encoding: 'utf8' })
    return version.startsWith('2.3.') ? undefined : `Dovecot ${version.trim()} has another configuration language than 2.3`
  } catch (error) {
    return `dovecot does not run: ${String(error)}`
  }
}

export type Dovecot = {
  imapPort: number
  imapsPort: number
  /** Every user has this password. */
  password: string
  start(): Promise<void>
  stop(): Promise<void>
  log(): string
  [Symbol.asyncDispose](): Promise<void>
}

export async function createDovecot(certificate: TestCertificate, settings = ''): Promise<Dovecot> {
  const directory = mkdtempSync(join(tmpdir(), 'mailscout-dovecot-'))
  const [imapPort, imapsPort] = [await freePort(), await freePort()]
  const file = prepare(directory, imapPort, imapsPort, certificate, settings)
  let child: ChildProcess | undefined

  const stop = async (): Promise<void> => {
    const stopping = child
    child = undefined
    if (stopping === undefined || stopping.exitCode !== null) return
    const exited = once(stopping, 'exit')
    // The whole group: the master alone would leave sessions open for ten seconds more.
    if (stopping.pid !== undefined) process.kill(-stopping.pid, 'SIGTERM')
    await exited
  }
  const log = (): string => (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8') : '')

  return {
    imapPort,
    imapsPort,
    password: 'secret',
    async start() {
      child = spawn(program, ['-F', '-c', file], { stdio: 'ignore', detached: true })
      await Promise.race([
        Promise.all([answering(imapPort), answering(imapsPort)]),
        once(child, 'exit').then(() => Promise.reject(new Error(`dovecot ended: ${log()}`))),
      ])
    },
    stop,
    log,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function prepare(directory: string, imapPort: number, imapsPort: number, certificate: TestCertificate, settings: string): string {
  const { uid: me, username } = userInfo()
  // Dovecot serves no mail as root: the mail belongs to nobody then.
  const [uid, gid] = me === 0 ? [65_534, 65_534] : [me, userInfo().gid]
  const internal = me === 0 ? '' : `default_internal_user = ${username}\ndefault_login_user = ${username}\n`
  chmodSync(directory, 0o755)
  const mail = join(directory, 'mail')
  mkdirSync(mail)
  chownSync(mail, uid, gid)
  writeFileSync(join(directory, 'key.pem'), certificate.key, { mode: 0o600 })
  writeFileSync(join(directory, 'cert.pem'), certificate.cert)
  const file = join(directory, 'dovecot.conf')
  writeFileSync(
    file,
    `base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
protocols = imap
listen = 127.0.0.1
${internal}ssl = yes
ssl_cert = <${directory}/cert.pem
ssl_key = <${directory}/key.pem
disable_plaintext_auth = no
mail_location = maildir:${mail}/%u
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${mail}/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${imapPort}
  }
  inet_listener imaps {
    port = ${imapsPort}
    ssl = yes
  }
}
auth_failure_delay = 0
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
${settings}
`,
  )
  return file
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Resolves once something accepts connections there. */
async function answering(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const answered = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
