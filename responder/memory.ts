/**
 * What the responder remembers, on disk, shared by many short-lived processes without a lock: one small file per test in
 * folders by day, and one counter per probe and hour. Every failure fails open: an answer matters more than a memory.
 *
 *   seen/2026-11-23/<test id>         the first stamp, in milliseconds
 *   budget/2026-11-23T15/<probe id>   as many bytes as answers
 */
import {
  accessSync,
  appendFileSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { dayMs, hourMs } from '../common/durations.ts'
import { answersPerHourMax, type Memory } from './reply.ts'

/** A mail server gives up on a mail after days; by then the test has long been judged. */
const rememberMs = 3 * dayMs
const stateDirDefault = '/var/lib/mailscout-responder'

/** The given directory or the default; where that cannot be written, one in the home of whoever runs the delivery. */
export const stateDirs = (configured: string | undefined): string[] => [
  configured ?? stateDirDefault,
  join(homedir(), '.mailscout-responder'),
]

/** The first of these directories that can be written, made where it is missing; undefined where none can. */
export function openStateDir(directories: readonly string[]): string | undefined {
  return directories.find((directory) => {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      accessSync(directory, constants.W_OK | constants.X_OK)
      return true
    } catch {
      // The next one may do; without any the responder works from mail to mail.
      return false
    }
  })
}

export function createDiskMemory(stateDir: string | undefined): Memory {
  return {
    firstStamp: (tid, stampMs) => failOpen(stateDir, (directory) => claimStamp(join(directory, 'seen'), tid, stampMs)) ?? stampMs,
    countAnswer: (probeId, nowMs) => failOpen(stateDir, (directory) => count(join(directory, 'budget'), probeId, nowMs)) ?? 1,
  }
}

function failOpen(stateDir: string | undefined, act: (directory: string) => number): number | undefined {
  if (stateDir === undefined) return undefined
  try {
    return act(stateDir)
  } catch {
    return undefined
  }
}

function claimStamp(seenDir: string, tid: string, stampMs: number): number {
  const today = new Date(stampMs).toISOString().slice(0, 10)
  makeFolder(seenDir, today, (name) => Math.abs(Date.parse(name) - Date.parse(today)) > rememberMs)
  for (const day of readdirSync(seenDir)) {
    const known = readStamp(join(seenDir, day, tid))
    if (known !== undefined) return known
  }
  const path = join(seenDir, today, tid)
  return createOnce(path, String(stampMs)) ? stampMs : (readStamp(path) ?? stampMs)
}

/** False where the file exists already. It appears with its content, so that no other process reads half of it. */
function createOnce(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}`
  try {
    writeFileSync(draft, content, { mode: 0o600 })
    linkSync(draft, path)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    // Some file systems know no links; there a reader may, rarely, meet the file empty and take its own stamp.
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 })
    return true
  } finally {
    rmSync(draft, { force: true })
  }
}

function readStamp(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return undefined
    throw error
  }
}

function count(budgetDir: string, probeId: string, nowMs: number): number {
  const hour = new Date(nowMs).toISOString().slice(0, 13)
  makeFolder(budgetDir, hour, (name) => Math.abs(Date.parse(`${name}:00Z`) - Date.parse(`${hour}:00Z`)) > hourMs)
  const path = join(budgetDir, hour, probeId)
  // Appends of one byte do not get lost between processes, as rewriting a number would.
  if (sizeOf(path) <= answersPerHourMax) appendFileSync(path, '.', { mode: 0o600 })
  return sizeOf(path)
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Whoever makes the folder of a new day or hour removes the old ones, so that the state stays bounded by the budget. */
function makeFolder(parent: string, name: string, isOld: (name: string) => boolean): void {
  const made = mkdirSync(join(parent, name), { recursive: true, mode: 0o700 })
  if (made === undefined) return
  for (const other of readdirSync(parent)) {
    // A name that is no time compares as false and stays: it is not ours.
    if (isOld(other)) rmSync(join(parent, other), { recursive: true, force: true })
  }
}

const isCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code
