/** What a mail administrator installs, for each mail system: pure text from what the installation knows of itself. */

export const responderSystems = ['postfix', 'exim', 'sendmail', 'sink'] as const
export type ResponderSystem = (typeof responderSystems)[number]

export type ResponderConfig = { root_keys: string[]; return_domains: string[]; addresses: string[] }
export type GuideFile = { path: string; mode: string; content: string }
export type ResponderGuide = { system: ResponderSystem; config: ResponderConfig; files: GuideFile[]; steps: string[] }

const configPath = '/etc/mailscout/responder.json'
const programPath = '/usr/local/bin/mailscout-responder'

export function responderGuide(system: ResponderSystem, address: string, config: ResponderConfig): ResponderGuide {
  const configFile = { path: configPath, mode: '0644', content: `${JSON.stringify(config, null, 2)}\n` }
  const { files, steps } = system === 'sink' ? sink(address) : pipe(system, address)
  return { system, config, files: [configFile, ...files], steps: [...common, ...steps] }
}

const common = [
  'Install Node.js 18 or later on the mail server; nothing else is needed.',
  `Copy dist/mailscout-responder.cjs to ${programPath} and make it executable: chmod 755 ${programPath}`,
  `Write ${configPath} as shown. It holds public keys and names only: it may be readable by everybody. Only mail to "addresses" is answered: add further test addresses there.`,
]

const pipeAgents: Record<Exclude<ResponderSystem, 'sink'>, string> = {
  postfix:
    'Postfix runs pipes from .forward by default (allow_mail_to_commands = alias, forward). Check with: postconf allow_mail_to_commands',
  exim: 'In Exim, the router for .forward must allow pipes: allow_filter or at least "forbid_pipe = false", and pipe_transport = address_pipe.',
  sendmail: `Where sendmail uses smrsh, link the program into its folder: ln -s ${programPath} /etc/smrsh/ (on Debian /etc/mail/smrsh/).`,
}

function pipe(system: Exclude<ResponderSystem, 'sink'>, address: string): Pick<ResponderGuide, 'files' | 'steps'> {
  const [user = 'scout'] = address.split('@')
  const home = `/home/${user}`
  return {
    files: [{ path: `${home}/.forward`, mode: '0644', content: `"|${programPath}"\n` }],
    steps: [
      `Make an ordinary user without a password for ${address}: useradd --create-home --shell /usr/sbin/nologin ${user}`,
      `Write ${home}/.forward as shown, owned by ${user}: chown ${user}: ${home}/.forward`,
      `To keep a copy of each test mail, let the file say instead: \\${user}, "|${programPath}"`,
      pipeAgents[system],
      'Answers leave through the local sendmail program, as mail of this server.',
      'Press "Test now": the first returned mail ends the state "pending".',
    ],
  }
}

function sink(address: string): Pick<ResponderGuide, 'files' | 'steps'> {
  const unit = `[Unit]
Description=Mailscout responder
After=network-online.target

[Service]
ExecStart=${programPath} sink --listen 127.0.0.1:2525
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
Restart=always

[Install]
WantedBy=multi-user.target
`
  return {
    files: [{ path: '/etc/systemd/system/mailscout-responder.service', mode: '0644', content: unit }],
    steps: [
      'Start it: systemctl enable --now mailscout-responder',
      `Let your mail system deliver ${address} by SMTP to 127.0.0.1 port 2525 (a transport or route for this one address).`,
      `Answers leave by "submit" in ${configPath}: the host of your outgoing mail server, as in "submit": {"host": "127.0.0.1", "port": 25}.`,
      'Press "Test now": the first returned mail ends the state "pending".',
    ],
  }
}
