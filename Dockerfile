# PostgreSQL with rag_events:
#
#   docker build -t rag_events .
#   docker build -t rag_events --build-arg POSTGRES=18 .
#
# The tests run this file's make commands and the start-up script on a plain
# server. They do not build or start the image itself.

ARG POSTGRES=17

FROM postgres:${POSTGRES} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make "postgresql-server-dev-$PG_MAJOR"
WORKDIR /src
COPY . .
RUN make -s with_llvm=no \
    && make -s with_llvm=no install DESTDIR=/out

FROM postgres:${POSTGRES}
COPY --from=build /out/ /
# A new database gets the extension at once; rag_events_start is for the others.
COPY docker/rag_events_start.sql /docker-entrypoint-initdb.d/
COPY tools/lib/locks.sh /usr/local/lib/rag_events/
COPY docker/rag_events_start.sh /usr/local/bin/rag_events_start
