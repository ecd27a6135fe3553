import type { CompletedCommand } from './commands.js';

/** Returns a completion script for bash 3.2 and newer. */
export function bashScript(commands: CompletedCommand[]): string {
  const cases = commands.map(({ name, options, argument }) => {
    const flags = options.map(({ flag }) => flag).join(' ');
    const words =
      argument === 'job'
        ? '$(headway known-jobs 2>/dev/null)'
        : Array.isArray(argument)
          ? argument.join(' ')
          : '';
    const values = options.flatMap(({ flag, choices, isFile, takesValue }) => {
      if (choices.length > 0) return `        ${flag}) words="${choices.join(' ')}" ;;`;
      if (isFile) return `        ${flag}) COMPREPLY=($(compgen -f -- "$current")); return ;;`;
      return takesValue ? `        ${flag}) return ;;` : [];
    });
    return `    ${name})
      case "$previous" in
${values.join('\n')}
        *) if [[ $current == -* ]]; then words="${flags}"; else words="${words}"; fi ;;
      esac ;;`;
  });
  return `# Completion of headway for bash. In ~/.bashrc: source <(headway completion bash)
_headway() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${commands.map(({ name }) => name).join('|')}) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case "$command" in
    '') words="${commands.map(({ name }) => name).join(' ')}" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _headway headway`;
}
