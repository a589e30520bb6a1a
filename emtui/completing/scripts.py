"""The scripts for bash, zsh and fish. They speak argcomplete's protocol with emtui.

argcomplete's own scripts are not used: in bash what they get is still matched against the names in the working
directory, which undoes the quoting; in zsh they take the whole line for emtui's; and neither lets the shell complete
its own files, which it does best. emtui answers with one word, `\\037files` or `\\037folders`, where it should.
"""

_BASH = r"""# Completion of emtui for bash: eval "$(emtui completion bash)"
_emtui_complete() {
    local IFS=$'\013' globs=$- program="${1/#\~\//$HOME/}"
    set -f
    COMPREPLY=($(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_TYPE="$COMP_TYPE" \
        _ARGCOMPLETE=1 _ARGCOMPLETE_SHELL=bash _ARGCOMPLETE_IFS=$'\013' _ARGCOMPLETE_SUPPRESS_SPACE=1 \
        _ARGCOMPLETE_COMP_WORDBREAKS="$COMP_WORDBREAKS" _EMTUI_COMPLETES_PATHS=1 \
        "$program" 8>&1 9>/dev/null 1>/dev/null 2>/dev/null </dev/null))
    [[ $globs == *f* ]] || set +f
    case "${COMPREPLY[0]-}" in
        $'\037files') COMPREPLY=(); compopt -o default 2>/dev/null ;;
        $'\037folders') COMPREPLY=(); compopt -o dirnames 2>/dev/null ;;
        *[=/:]) [[ ${#COMPREPLY[@]} -eq 1 ]] && compopt -o nospace 2>/dev/null ;;
    esac
    return 0
}
complete -F _emtui_complete emtui
"""

_ZSH = r"""#compdef emtui
# Completion of emtui for zsh: eval "$(emtui completion zsh)", behind compinit
_emtui() {
    local program="${${(Q)words[1]}/#\~\//$HOME/}" answer
    # Of a word that is being typed between quotes, only these two have the quote that opens it.
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a found folders others
    answer="$(COMP_LINE="$line" COMP_POINT="${#line}" COMP_TYPE= \
        _ARGCOMPLETE=1 _ARGCOMPLETE_SHELL=zsh _ARGCOMPLETE_IFS=$'\013' _ARGCOMPLETE_SUPPRESS_SPACE=1 \
        _EMTUI_COMPLETES_PATHS=1 "$program" 8>&1 9>/dev/null 1>/dev/null 2>/dev/null </dev/null)"
    case "$answer" in
        $'\037files'*) [[ $PREFIX == -*=* ]] && compset -P '*='; _files; return ;;
        $'\037folders'*) [[ $PREFIX == -*=* ]] && compset -P '*='; _files -/; return ;;
        '') return 1 ;;
    esac
    found=("${(@ps:\v:)answer}")
    folders=("${(@M)found:#*/:*}")
    others=("${(@)found:#*/:*}")
    folders=("${(@)folders%:}")
    others=("${(@)others%:}")
    _describe -V emtui others -- folders -S ''
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _emtui "$@"
else
    compdef _emtui emtui
fi
"""

_FISH = r"""# Completion of emtui for fish: emtui completion fish > ~/.config/fish/completions/emtui.fish
function __emtui_complete
    set -lx _ARGCOMPLETE 1
    set -lx _ARGCOMPLETE_SHELL fish
    set -lx _ARGCOMPLETE_DFS \t
    set -lx _ARGCOMPLETE_IFS \n
    set -lx _ARGCOMPLETE_SUPPRESS_SPACE 1
    set -lx _EMTUI_COMPLETES_PATHS 1
    set -lx COMP_LINE (commandline -cp | string join ' ')
    set -lx COMP_POINT (string length -- $COMP_LINE)
    set -lx COMP_TYPE
    set -l found (emtui 8>&1 9>/dev/null 1>/dev/null 2>/dev/null </dev/null)
    set -l token (commandline -ct)
    set -l option (string match -r -- '^-[^=]*=' $token)
    set -l word (string replace -r -- '^-[^=]*=' '' $token)
    switch "$found[1]"
        case \x1ffiles\*
            printf '%s\n' "$option"(__fish_complete_path $word)
        case \x1ffolders\*
            printf '%s\n' "$option"(__fish_complete_directories $word)
        case '*'
            test -n "$found"; and printf '%s\n' $found
    end
end
complete -c emtui -f -a '(__emtui_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script for each shell."""
