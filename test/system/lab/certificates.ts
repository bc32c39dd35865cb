/** A certificate authority of the lab, and certificates of it for the servers. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export class CertificateAuthority {
  /** PEM; for NODE_EXTRA_CA_CERTS and the like. */
  readonly certificateFile: string
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
    this.certificateFile = join(directory, 'ca.pem')
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      this.#path('ca.key'),
      '-out',
      this.certificateFile,
      '-days',
      '30',
      '-subj',
      '/CN=Lab CA',
    )
  }

  /** Returns the PEM file with key and certificate for this host name. */
  issue(name: string): string {
    const key = this.#path(`${name}.key`)
    const certificate = this.#path(`${name}.crt`)
    const both = this.#path(`${name}.pem`)
    const issuer = ['-CA', this.certificateFile, '-CAkey', this.#path('ca.key'), '-days', '30']
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-addext', 'basicConstraints=CA:FALSE']
    openssl('req', '-x509', ...newKey, '-keyout', key, '-out', certificate, ...issuer, ...subject)
    writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'), { mode: 0o600 })
    return both
  }

  #path(file: string): string {
    return join(this.#directory, file)
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
