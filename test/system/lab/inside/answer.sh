#!/bin/sh
# Answers Postfix's policy questions (SMTPD_POLICY_README) from files in the folder $1: one named as the recipient's
# local part, else `everyone`; without a file the recipient is accepted. Read for each question: a change counts at once.
user=
while IFS= read -r line; do
  case $line in
    recipient=*/*) user= ;;
    recipient=*) user=${line#recipient=} user=${user%%@*} ;;
    '')
      for file in "$1/$user" "$1/everyone" /dev/null; do
        [ -f "$file" ] && break
      done
      answer=$(cat "$file")
      printf 'action=%s\n\n' "${answer:-DUNNO}"
      user=
      ;;
  esac
done
