/** A certificate for tests, made on the spot by the openssl command; nothing secret stands in the repository. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type TestCertificate = { key: string; cert: string }

/** Self-signed for `localhost`, `mx.example` and 127.0.0.1; undefined where there is no openssl. */
export function makeCertificate(name = 'mx.example'): TestCertificate | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'mailscout-certificate-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const names = `subjectAltName=DNS:${name},DNS:localhost,IP:127.0.0.1`
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const subject = ['-subj', `/CN=${name}`, '-addext', names]
  try {
    execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, '-days', '2', ...subject], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    return undefined
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
