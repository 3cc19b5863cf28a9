# shellcheck shell=bash
#
# To be sourced by bash: where the database is, from an .env file.

# rag_read_dotenv FILE: takes POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DB,
# POSTGRES_USER and POSTGRES_PASSWORD for those of PGHOST, PGPORT, PGDATABASE,
# PGUSER and PGPASSWORD that are not set. The file is read, not run: its other
# lines, and whatever a shell would make of a value, do not matter.
rag_read_dotenv() {
  local line value variable
  local comment='^([^#]*[^#[:space:]])?[[:space:]]+#'

  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%$'\r'}
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?POSTGRES_(HOST|PORT|DB|USER|PASSWORD)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
    value=${BASH_REMATCH[3]}
    case ${BASH_REMATCH[2]} in
    DB) variable=PGDATABASE ;;
    *) variable=PG${BASH_REMATCH[2]} ;;
    esac
    case $value in
    \"*\"*) value=${value#\"} value=${value%%\"*} ;;
    \'*\'*) value=${value#\'} value=${value%%\'*} ;;
    *)
      [[ $value =~ $comment ]] && value=${BASH_REMATCH[1]}
      value=${value%"${value##*[![:space:]]}"}
      ;;
    esac
    if [ -z "${!variable-}" ] && [ -n "$value" ]; then export "$variable=$value"; fi
  done <"$1"
}
