/** Ed25519 keys in files of mode 0600, made at the first start. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { MailscoutError } from '../errors.ts'
import { thumbprint } from '../mail/jws.ts'

export type KeyPair = {
  privateKey: KeyObject
  publicKey: KeyObject
  /** The raw public key, base64url. */
  x: string
  /** RFC 7638 thumbprint, the key's name. */
  kid: string
}

export function keyPairFrom(privateKey: KeyObject): KeyPair {
  const publicKey = createPublicKey(privateKey)
  const { x } = publicKey.export({ format: 'jwk' })
  if (privateKey.asymmetricKeyType !== 'ed25519' || x === undefined)
    throw new MailscoutError('KEY_UNREADABLE', 'The key is not an Ed25519 key')
  return { privateKey, publicKey, x, kid: thumbprint(x) }
}

export const createKeyPair = (): KeyPair => keyPairFrom(generateKeyPairSync('ed25519').privateKey)

/** Reads the key at `path`, or makes it. A key file that others may read is refused rather than trusted. */
export function loadOrCreateKeyPair(path: string): KeyPair {
  if (!existsSync(path)) {
    const pair = createKeyPair()
    writePrivateFile(path, pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
    return pair
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new MailscoutError(
      'KEY_UNREADABLE',
      `${path} may be read by others: run chmod 600 ${path}, and replace the key if it may have leaked`,
    )
  }
  try {
    return keyPairFrom(createPrivateKey(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new MailscoutError('KEY_UNREADABLE', `${path} holds no Ed25519 private key in PEM form; restore it from your backup`, {
      cause,
    })
  }
}

/** Writes a secret so that it is whole or absent, and never readable by others in between. */
export function writePrivateFile(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.new`
  const file = openSync(draft, 'w', 0o600)
  try {
    writeSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  chmodSync(draft, 0o600)
  renameSync(draft, path)
}

/** The name of a signed document in a manifest, and of a secret in the database. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** The installation's name, as issuer and as the coordinator's audience: whoever knows the root key knows who is meant. */
export const installationName = (rootKid: string): string => `mailscout:${rootKid}`
