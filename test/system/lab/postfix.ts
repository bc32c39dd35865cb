/** The configuration of the lab's Postfixes, as text. They see it as /etc/postfix, so that `sendmail` works for everybody there. */

export type PostfixSettings = {
  hostname: string
  domain: string
  /** Holds spool/ and data/. */
  directory: string
  /** PEM with key and certificate. */
  certificateFile: string
  /** A command that answers Postfix's policy questions on its standard input and output. */
  answerCommand: string
}

export function mainCf(settings: PostfixSettings): string {
  return `compatibility_level = 3.6
queue_directory = ${settings.directory}/spool
data_directory = ${settings.directory}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = /dev/stdout

myhostname = ${settings.hostname}
mydomain = ${settings.domain}
myorigin = $mydomain
mydestination = $mydomain, $myhostname, localhost
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
inet_protocols = ipv4
alias_maps =
home_mailbox = Maildir/
recipient_delimiter = +
biff = no

# What the tests ask for (refuse, defer, discard, hold) is one line in a file, read for each recipient.
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/answer
smtpd_tls_chain_files = ${settings.certificateFile}
smtpd_tls_security_level = may
smtp_tls_security_level = may
smtpd_client_connection_count_limit = 0

# Impatient, so that tests stay short.
queue_run_delay = 5s
minimal_backoff_time = 5s
maximal_backoff_time = 10s
transport_retry_time = 5s
smtp_connect_timeout = 10s
`
}

export function masterCf(settings: PostfixSettings): string {
  const internal = [
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'local unix - n n - - local',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return `${['smtp inet n - n - - smtpd', `answer unix - n n - 0 spawn user=nobody argv=${settings.answerCommand}`, ...internal].join('\n')}\n`
}
