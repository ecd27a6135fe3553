import type { CompletedCommand } from './commands.js';

/** Returns a completion script for zsh. */
export function zshScript(commands: CompletedCommand[]): string {
  const list = commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}`);
  const cases = commands.map(({ name, options, argument }) => {
    const specs = options.map(({ flag, description, takesValue, choices, isFile }) => {
      const value = choices.length > 0 ? `(${choices.join(' ')})` : isFile ? '_files' : ' ';
      const text = description.replace(/[[\]:\\]/g, '\\$&');
      return quote(`*${flag}[${text}]${takesValue ? `:value:${value}` : ''}`);
    });
    const values = Array.isArray(argument) ? `(${argument.join(' ')})` : undefined;
    const rest =
      argument === 'job'
        ? quote('*:job:_headway_jobs')
        : values
          ? quote(`1:argument:${values}`)
          : quote('*: :_default');
    return `    ${name}) _arguments ${[...specs, rest].join(' ')} ;;`;
  });
  return `#compdef headway
# Completion of headway for zsh. In ~/.zshrc, after compinit: source <(headway completion zsh)
_headway_jobs() {
  local -a jobs=(\${(f)"$(headway known-jobs 2>/dev/null)"})
  compadd -a jobs
}
_headway() {
  local -a commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
compdef _headway headway`;
}

const quote = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;
