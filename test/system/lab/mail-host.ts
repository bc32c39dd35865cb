/**
 * A host with a real Postfix: users with Maildir and .forward, and switches that make it refuse, defer, discard or hold.
 *
 * Users exist only in this host's own /etc/passwd, Postfix's configuration only in its own /etc/postfix: nothing of it is
 * seen by the machine, and `sendmail`, called by a program of these users, is this host's sendmail.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { MailDomain } from './dns.ts'
import type { Host } from './network.ts'
import { mainCf, masterCf } from './postfix.ts'
import { awaitPort, isListening, mustRunInside, type Program, type Programs } from './processes.ts'
import { until } from './until.ts'

export type MailHostPlan = {
  host: Host
  hostname: string
  domain: string
  /** Made by the mail host; readable by every user on the way to it. */
  directory: string
  certificateFile: string
}

export type QueuedMail = {
  queueName: string
  queueId: string
  sender: string
  /** UTC ms, of the second in which it came. */
  arrivedMs: number
  recipients: { address: string; delayReason?: string }[]
}

/** Parts of Debian's /etc/postfix that belong to the program and not to a configuration. */
const programFiles = ['postfix-files', 'postfix-files.d', 'dynamicmaps.cf', 'dynamicmaps.cf.d', 'post-install', 'postfix-script']
const firstUserId = 47_001

export class MailHost {
  readonly host: Host
  readonly domain: string
  readonly hostname: string
  readonly certificateFile: string
  readonly #directory: string
  readonly #postfix: Program
  readonly #userIds = new Map<string, number>()

  constructor(plan: MailHostPlan, programs: Programs) {
    this.host = plan.host
    this.domain = plan.domain
    this.hostname = plan.hostname
    this.certificateFile = plan.certificateFile
    this.#directory = plan.directory
    for (const folder of ['spool', 'data', 'home', 'answers']) mkdirSync(join(plan.directory, folder), { recursive: true })
    this.#configure(plan)
    this.#postfix = programs.prepare({
      name: `postfix-${plan.host.name}`,
      at: plan.host,
      command: ['/usr/sbin/postfix', 'start-fg'],
    })
  }

  #configure(plan: MailHostPlan): void {
    const answers = join(this.#directory, 'answers')
    const script = join(this.#directory, 'answer.sh')
    cpSync(join(import.meta.dirname, 'inside/answer.sh'), script)
    const settings = { ...plan, answerCommand: `/bin/sh ${script} ${answers}` }
    const etc = join(this.host.etc, 'postfix')
    mkdirSync(etc, { recursive: true })
    for (const file of programFiles) {
      if (existsSync(join('/etc/postfix', file))) cpSync(join('/etc/postfix', file), join(etc, file), { recursive: true })
    }
    writeFileSync(join(etc, 'main.cf'), mainCf(settings))
    writeFileSync(join(etc, 'master.cf'), masterCf(settings))
    writeFileSync(join(this.host.etc, 'passwd'), systemUsers())
    chownSync(join(this.#directory, 'data'), idOfPostfix(), 0)
  }

  get mailDomain(): MailDomain {
    return { domain: this.domain, exchanger: this.hostname, host: this.host }
  }

  async start(): Promise<void> {
    this.#postfix.start()
    await this.#postfix.awaitLog(/daemon started/)
    await awaitPort(this.host, 25)
  }

  /** As `systemctl stop postfix` would: connections are refused from now on. */
  async stop(): Promise<void> {
    // Postfix's own command, because the program that was started is a shell around the master process.
    await mustRunInside(this.host, ['postfix', 'stop'])
    await until(`${this.hostname} to be free of Postfix`, async () => !(await isListening(this.host, 25)), { withinMs: 5_000 })
  }

  get running(): boolean {
    return this.#postfix.alive
  }

  log(): string {
    return this.#postfix.log()
  }

  /** Adds a system user of this host, whose mail address is returned. A forward that is not given means a plain mailbox. */
  addUser(user: string, forward?: string): string {
    const id = firstUserId + this.#userIds.size
    this.#userIds.set(user, id)
    const home = this.home(user)
    mkdirSync(home)
    chownSync(home, id, 65_534)
    writeFileSync(join(this.host.etc, 'passwd'), `${user}:x:${id}:65534:${user}:${home}:/bin/sh\n`, { flag: 'a' })
    if (forward !== undefined) this.setForward(user, forward)
    return `${user}@${this.domain}`
  }

  home(user: string): string {
    return join(this.#directory, 'home', user)
  }

  forwardOf(user: string): string | undefined {
    const file = join(this.home(user), '.forward')
    return existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : undefined
  }

  /** Replaces ~/.forward at one instant; undefined removes it. */
  setForward(user: string, forward: string | undefined): void {
    const file = join(this.home(user), '.forward')
    if (forward === undefined) {
      rmSync(file, { force: true })
      return
    }
    renameSync(this.writeFor(user, '.forward.new', `${forward}\n`, 0o644), file)
  }

  /** Writes a file into the user's home that belongs to that user, and returns its path. */
  writeFor(user: string, name: string, text: string, mode: number): string {
    const file = join(this.home(user), name)
    writeFileSync(file, text)
    chmodSync(file, mode)
    chownSync(file, this.#userIds.get(user) ?? 0, 65_534)
    return file
  }

  /** The mails in the user's mailbox, as they lie in its Maildir, oldest first. */
  mails(user: string): string[] {
    const files = ['new', 'cur'].flatMap((folder) => {
      const path = join(this.home(user), 'Maildir', folder)
      return existsSync(path) ? readdirSync(path).map((file) => ({ file, path: join(path, file) })) : []
    })
    return files.sort((a, b) => a.file.localeCompare(b.file)).map(({ path }) => readFileSync(path, 'utf8'))
  }

  /** Every recipient, or this one, is accepted and delivered again. */
  accept(user?: string): void {
    rmSync(this.#answerFile(user), { force: true })
  }

  /** RCPT is answered with this reply, e.g. `550 5.1.1 no such user`. */
  refuse(reply: string, user?: string): void {
    this.#answer(reply, user)
  }

  /** RCPT is answered with 451 until `accept`. */
  greylist(user?: string): void {
    this.#answer('451 4.7.1 Greylisted, please come back later', user)
  }

  /** Mail is accepted with 250 and thrown away. */
  discard(user?: string): void {
    this.#answer('DISCARD', user)
  }

  /** Mail is accepted and stays in the queue until `release`. */
  hold(user?: string): void {
    this.#answer('HOLD', user)
  }

  /** Ends `hold` and delivers what has waited for this user, or for all. */
  async release(user?: string): Promise<void> {
    this.accept(user)
    const waiting = user === undefined ? 'ALL\n' : (await this.held(user)).map(({ queueId }) => `${queueId}\n`).join('')
    await mustRunInside(this.host, ['postsuper', '-H', '-'], { input: waiting })
    await this.flush()
  }

  /** What `hold` has stopped of the mail for this user; what came just before it may still be on its way. */
  async held(user: string): Promise<QueuedMail[]> {
    const address = `${user}@${this.domain}`
    const isTheirs = ({ recipients }: QueuedMail) => recipients.some((recipient) => recipient.address === address)
    return (await this.queue()).filter((mail) => mail.queueName === 'hold' && isTheirs(mail))
  }

  /** Tries everything in the queue again now. */
  async flush(): Promise<void> {
    await mustRunInside(this.host, ['postqueue', '-f'])
  }

  async queue(): Promise<QueuedMail[]> {
    const listed = await mustRunInside(this.host, ['postqueue', '-j'])
    return listed.split('\n').filter(Boolean).map(readQueueLine)
  }

  #answer(action: string, user: string | undefined): void {
    const file = this.#answerFile(user)
    writeFileSync(`${file}.new`, `${action}\n`)
    renameSync(`${file}.new`, file)
  }

  #answerFile(user = 'everyone'): string {
    return join(this.#directory, 'answers', user)
  }
}

function readQueueLine(line: string): QueuedMail {
  const entry = JSON.parse(line) as {
    queue_name: string
    queue_id: string
    sender: string
    arrival_time: number
    recipients: { address: string; delay_reason?: string }[]
  }
  const recipients = entry.recipients.map(({ address, delay_reason: delayReason }) =>
    delayReason === undefined ? { address } : { address, delayReason },
  )
  return {
    queueName: entry.queue_name,
    queueId: entry.queue_id,
    sender: entry.sender,
    arrivedMs: entry.arrival_time * 1000,
    recipients,
  }
}

/** The machine's users without its people, whose names could be those of the lab. */
function systemUsers(): string {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const kept = lines.filter((line) => Number(line.split(':')[2]) < 1000 || line.startsWith('nobody:'))
  return `${kept.filter(Boolean).join('\n')}\n`
}

function idOfPostfix(): number {
  const id = /^postfix:[^:]*:(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1]
  if (id === undefined) throw new Error('this machine has no user postfix, although Postfix is installed')
  return Number(id)
}
