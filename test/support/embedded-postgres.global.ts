/**
 * Once in a vitest run: one PostgreSQL and in it a migrated template, from which each test file makes its own database.
 * `TEST_DATABASE_URL` (a user that may create databases) uses that server instead of the embedded one.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { connect, type DatabaseAddress } from '../../coordinator/store/connection.ts'
import { openDatabase } from '../../coordinator/store/database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../coordinator/store/embedded.ts'
import { adminSession, inDatabase } from './database-address.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    databaseServer: DatabaseAddress
    databaseTemplate: string
  }
}

let embedded: EmbeddedPostgres | undefined
let dataDir: string | undefined
let server: DatabaseAddress | undefined
const template = `mailscout_template_${process.pid}`

export async function setup(project: TestProject): Promise<void> {
  server = process.env.TEST_DATABASE_URL ?? (await startThrowaway())
  await administer(server, `create database ${template}`)
  const database = await openDatabase({ address: inDatabase(server, template), logger: silentLogger, runtime: systemRuntime })
  await database.close()
  project.provide('databaseServer', server)
  project.provide('databaseTemplate', template)
}

export async function teardown(): Promise<void> {
  if (embedded === undefined && server !== undefined) await administer(server, `drop database if exists ${template} with (force)`)
  await embedded?.stop()
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true })
}

async function startThrowaway(): Promise<DatabaseAddress> {
  dataDir = await mkdtemp(join(tmpdir(), 'mailscout-test-'))
  // Root runs the server as another user, who must be able to enter.
  await chmod(dataDir, 0o755)
  embedded = await startEmbeddedPostgres({
    dataDir,
    logger: silentLogger,
    runtime: systemRuntime,
    // Nothing here must survive a power cut.
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '200' },
  })
  return embedded.connection
}

async function administer(address: DatabaseAddress, statement: string): Promise<void> {
  const sql = connect(address, adminSession)
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}
