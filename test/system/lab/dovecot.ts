/** Dovecot beside the Postfix of a mail host: its users' Maildirs over IMAPS on port 993, with a password. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MailHost } from './mail-host.ts'
import { awaitPort, type Program, type Programs } from './processes.ts'

export class Dovecot {
  readonly #program: Program
  readonly #mailHost: MailHost
  readonly #passwords: string

  constructor(programs: Programs, mailHost: MailHost, directory: string) {
    mkdirSync(directory, { recursive: true })
    this.#mailHost = mailHost
    this.#passwords = join(directory, 'passwords')
    writeFileSync(this.#passwords, '')
    const file = join(directory, 'dovecot.conf')
    writeFileSync(file, dovecotConfiguration(directory, this.#passwords, mailHost.certificateFile))
    this.#program = programs.prepare({ name: 'dovecot', at: mailHost.host, command: ['/usr/sbin/dovecot', '-F', '-c', file] })
  }

  /** Gives a user of the mail host a password for IMAP. */
  setPassword(user: string, password: string): void {
    writeFileSync(this.#passwords, `${user}:{PLAIN}${password}\n`, { flag: 'a' })
  }

  async start(): Promise<void> {
    this.#program.start()
    await awaitPort(this.#mailHost.host, 993)
  }

  async stop(): Promise<void> {
    await this.#program.stop()
  }
}

function dovecotConfiguration(directory: string, passwords: string, certificateFile: string): string {
  return `base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = /dev/stderr
protocols = imap
ssl = required
ssl_cert = <${certificateFile}
ssl_key = <${certificateFile}
mail_location = maildir:~/Maildir
# Several connections of one user from one address, as tests open them, are no attack.
mail_max_userip_connections = 100
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 993
  }
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u ${passwords}
}
userdb {
  driver = passwd
}
`
}
