/** A real PostgreSQL of this machine, with a cluster of its own in the lab, listening inside one host. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chownSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Host, processesIn } from './network.ts'
import { mustRunInside, type Program, type Programs } from './processes.ts'
import { until } from './until.ts'

const owner = 'mailscout'

export class Database {
  /** For a program inside the host: `mailscout` is no superuser, but may make roles. */
  readonly url = `postgres://${owner}:lab@127.0.0.1:5432/${owner}`
  readonly #host: Host
  readonly #bin: string
  readonly #sockets: string
  readonly #program: Program

  constructor(programs: Programs, host: Host, directory: string) {
    const newest = globSync('/usr/lib/postgresql/*/bin')
      .sort((a, b) => Number(a.split('/')[4]) - Number(b.split('/')[4]))
      .at(-1)
    if (newest === undefined) throw new Error('no PostgreSQL server is installed in /usr/lib/postgresql')
    this.#bin = newest
    this.#host = host
    this.#sockets = join(directory, 'sockets')
    const data = join(directory, 'data')
    mkdirSync(this.#sockets, { recursive: true })
    const { uid, gid } = idsOfPostgres()
    for (const path of [directory, this.#sockets]) chownSync(path, uid, gid)
    const settings = [
      '--username=postgres',
      '--auth-local=trust',
      '--auth-host=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
    ]
    execFileSync(join(this.#bin, 'initdb'), ['-D', data, ...settings], {
      uid,
      gid,
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    appendFileSync(join(data, 'postgresql.conf'), `listen_addresses = '*'\nunix_socket_directories = '${this.#sockets}'\n`)
    this.#program = programs.prepare({
      name: 'postgres',
      at: host,
      user: 'postgres',
      cwd: directory,
      command: [join(this.#bin, 'postgres'), '-D', data],
    })
  }

  async start(): Promise<void> {
    this.#program.start()
    await this.#program.awaitLog(/database system is ready to accept connections/)
  }

  /** Makes the role and the empty database of `url`. */
  async prepare(): Promise<void> {
    await this.query(`create role ${owner} login createrole password 'lab'`)
    await this.query(`create database ${owner} owner ${owner}`)
  }

  /** One statement as superuser; rows come back as lines, columns separated by `|`. */
  async query(sql: string, database = 'postgres'): Promise<string> {
    const psql = [join(this.#bin, 'psql'), '-h', this.#sockets, '-U', 'postgres', '-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1']
    return (await mustRunInside(this.#host, [...psql, '-d', database, '-c', sql])).trim()
  }

  /** kill -9 of the server, as a crash would; returns when its children have noticed, before that it cannot start again. */
  async kill(): Promise<void> {
    await this.#program.kill()
    const isPostgres = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')
    await until('the children of PostgreSQL to end', () => !processesIn(this.#host.namespace).some(isPostgres), {
      withinMs: 10_000,
    })
  }
}

function idsOfPostgres(): { uid: number; gid: number } {
  const found = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (found === null) throw new Error('this machine has no user postgres, although PostgreSQL is installed')
  return { uid: Number(found[1]), gid: Number(found[2]) }
}
