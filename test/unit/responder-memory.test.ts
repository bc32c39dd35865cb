import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFileJournal } from '../../responder/journal.ts'
import { createDiskMemory, openStateDir } from '../../responder/memory.ts'
import { nowMs, probeId, tid } from '../support/mails.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'responder-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const dayMs = 86_400_000
const other = tid.replace('ab', 'ac')

test('the first stamp of a test stands for three days, also for other processes', () => {
  expect(createDiskMemory(directory).firstStamp(tid, nowMs)).toBe(nowMs)
  expect(createDiskMemory(directory).firstStamp(tid, nowMs + 60_000)).toBe(nowMs)
  expect(createDiskMemory(directory).firstStamp(tid, nowMs + 3 * dayMs)).toBe(nowMs)
  expect(createDiskMemory(directory).firstStamp(other, nowMs + 5)).toBe(nowMs + 5)
})

test('older days are removed when a new day begins', () => {
  const memory = createDiskMemory(directory)
  memory.firstStamp(tid, nowMs)
  memory.firstStamp(other, nowMs + 4 * dayMs)
  expect(readdirSync(join(directory, 'seen'))).toEqual(['2026-11-27'])
  expect(memory.firstStamp(tid, nowMs + 4 * dayMs)).toBe(nowMs + 4 * dayMs)
})

test('a clock that was years ahead leaves nothing behind', () => {
  const memory = createDiskMemory(directory)
  memory.firstStamp(tid, nowMs + 10_000 * dayMs)
  expect(memory.firstStamp(tid, nowMs)).toBe(nowMs)
  expect(readdirSync(join(directory, 'seen'))).toEqual(['2026-11-23'])
})

test('answers are counted by probe and hour, and the files stay small', () => {
  const memory = createDiskMemory(directory)
  for (let n = 1; n <= 601; n++) expect(memory.countAnswer(probeId, nowMs)).toBe(n)
  expect(createDiskMemory(directory).countAnswer(probeId, nowMs)).toBe(601)
  expect(memory.countAnswer(probeId, nowMs + 3_600_000)).toBe(1)
  memory.countAnswer(probeId, nowMs + 3 * 3_600_000)
  expect(readdirSync(join(directory, 'budget'))).toEqual(['2026-11-23T18'])
})

test('no draft file is left', () => {
  createDiskMemory(directory).firstStamp(tid, nowMs)
  expect(readdirSync(join(directory, 'seen', '2026-11-23'))).toEqual([tid])
})

test.each<[string, () => string | undefined]>([
  ['without a directory', () => undefined],
  ['with a file where the directory should be', () => join(directory, 'file')],
  ['with files where its folders should be', () => join(directory, 'broken')],
])('unusable state fails open: %s', (_, stateDir) => {
  writeFileSync(join(directory, 'file'), '')
  mkdirSync(join(directory, 'broken'))
  writeFileSync(join(directory, 'broken', 'seen'), '')
  writeFileSync(join(directory, 'broken', 'budget'), '')
  const memory = createDiskMemory(stateDir())
  expect(memory.firstStamp(tid, nowMs)).toBe(nowMs)
  expect(memory.firstStamp(tid, nowMs + 1)).toBe(nowMs + 1)
  expect(memory.countAnswer(probeId, nowMs)).toBe(1)
})

test('a stamp that cannot be read is taken as none', () => {
  const memory = createDiskMemory(directory)
  memory.firstStamp(tid, nowMs)
  writeFileSync(join(directory, 'seen', '2026-11-23', tid), 'garbage')
  expect(memory.firstStamp(tid, nowMs + 1)).toBe(nowMs + 1)
})

test('the first directory that can be written is taken', () => {
  writeFileSync(join(directory, 'file'), '')
  expect(openStateDir([join(directory, 'file'), join(directory, 'a', 'b')])).toBe(join(directory, 'a', 'b'))
  expect(openStateDir([join(directory, 'file', 'x')])).toBeUndefined()
})

test('the journal keeps its size and costs no answer', () => {
  const journal = createFileJournal(directory, () => nowMs)
  writeFileSync(join(directory, 'responder.log'), 'x'.repeat(1024 * 1024 + 1))
  journal({ msg: 'answered' })
  expect(readdirSync(directory).sort()).toEqual(['responder.log', 'responder.log.1'])
  createFileJournal(join(directory, 'nowhere'), () => nowMs)({ msg: 'answered' })
})
