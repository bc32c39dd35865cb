/**
 * Two roles of the database server. `mailscout_owner` owns the tables and is taken on by migrations only. The running program
 * works as `mailscout_app`, which is neither owner nor superuser nor exempt from row-level security, so that a fault in the
 * program cannot change tables or step over the wall between customers.
 *
 * Roles belong to the server, not to one database: several databases may share them.
 */
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Sql } from './connection.ts'

export const ownerRole = 'mailscout_owner'
export const appRole = 'mailscout_app'

/** Roles are shared by all databases of a server, so others may create the same ones at the same instant: look again, then. */
const roundsMax = 5

/**
 * Makes roles and rights where they are missing. Throws DATABASE_ROLES_MISSING with the statements for an administrator where
 * the connecting user may not, or where `mailscout_app` has powers that it must not have.
 */
export async function prepareRoles(sql: Sql): Promise<void> {
  let refusal: unknown
  for (let round = 1; round <= roundsMax; round++) {
    const statements = await missingStatements(sql)
    if (statements.length === 0) return
    refusal = undefined
    for (const statement of statements) {
      await sql.unsafe(statement).catch((error: unknown) => {
        refusal ??= error
      })
    }
  }
  const statements = await missingStatements(sql)
  if (statements.length === 0) return
  const reason = refusal === undefined ? '' : ` (${errorMessage(refusal)})`
  throw new MailscoutError(
    'DATABASE_ROLES_MISSING',
    `The user of DATABASE_URL may not prepare the database${reason}. Let its administrator run, in that database:` +
      statements.map((statement) => `\n  ${statement};`).join(''),
  )
}

type Facts = {
  session_user: string
  owner_exists: boolean
  app_exists: boolean
  app_powerful: boolean
  public_may_create: boolean
}

type Rights = {
  owner_settable: boolean
  app_settable: boolean
  owner_may_create: boolean
  app_may_use: boolean
  app_is_owner: boolean
}

/** What is still to be done, as statements: the same list is run, and shown where running it is refused. */
async function missingStatements(sql: Sql): Promise<string[]> {
  const [facts] = await sql<Facts[]>`
    select session_user::text,
      exists (select from pg_roles where rolname = ${ownerRole}) as owner_exists,
      exists (select from pg_roles where rolname = ${appRole}) as app_exists,
      exists (
        select from pg_roles where rolname = ${appRole} and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
      ) as app_powerful,
      exists (select from pg_namespace, aclexplode(nspacl) where nspname = 'public' and grantee = 0 and privilege_type = 'CREATE')
        as public_may_create`
  if (facts === undefined) return []
  const user = quoteIdentifier(facts.session_user)
  if (!facts.owner_exists || !facts.app_exists) {
    return [
      ...(facts.owner_exists ? [] : [`create role ${ownerRole} nologin`]),
      ...(facts.app_exists ? [] : [`create role ${appRole} nologin`]),
      `grant ${ownerRole}, ${appRole} to ${user}`,
      `grant create, usage on schema public to ${ownerRole}`,
      `grant usage on schema public to ${appRole}`,
    ]
  }

  // Until version 16 a member could always take a role on; since then that is a right of its own.
  const [rights] = await sql<Rights[]>`
    with version as (select case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end as right)
    select pg_has_role(session_user, ${ownerRole}, version.right) as owner_settable,
      pg_has_role(session_user, ${appRole}, version.right) as app_settable,
      has_schema_privilege(${ownerRole}, 'public', 'CREATE') as owner_may_create,
      has_schema_privilege(${appRole}, 'public', 'USAGE') as app_may_use,
      pg_has_role(${appRole}, ${ownerRole}, 'MEMBER') as app_is_owner
    from version`
  if (rights === undefined) return []
  const statements: string[] = []
  if (!rights.owner_settable) statements.push(`grant ${ownerRole} to ${user}`)
  if (!rights.app_settable) statements.push(`grant ${appRole} to ${user}`)
  if (!rights.owner_may_create) statements.push(`grant create, usage on schema public to ${ownerRole}`)
  if (!rights.app_may_use) statements.push(`grant usage on schema public to ${appRole}`)
  // Databases from before version 15 let everybody create tables.
  if (facts.public_may_create) statements.push('revoke create on schema public from public')
  if (facts.app_powerful) statements.push(`alter role ${appRole} nosuperuser nobypassrls nocreaterole nocreatedb`)
  if (rights.app_is_owner) statements.push(`revoke ${ownerRole} from ${appRole}`)
  return statements
}

const quoteIdentifier = (name: string) => `"${name.replaceAll('"', '""')}"`
