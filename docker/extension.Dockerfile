# The extension alone, out of its Debian package, as an image volume for PostgreSQL
# from 18 on in Kubernetes, in the layout that CloudNativePG mounts:
#
#   docker build -t rag_events:18-trixie -f docker/extension.Dockerfile .
#
# POSTGRES and SUITE have to be those of the image of the servers. The tests take the
# files of the package as it is done here, and start a server with them. They do not
# build the image itself.

ARG POSTGRES=18
ARG SUITE=trixie

FROM postgres:${POSTGRES}-${SUITE} AS package
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential debhelper "postgresql-server-dev-$PG_MAJOR" postgresql-common-dev
WORKDIR /src
COPY . .
RUN PG_SUPPORTED_VERSIONS=$PG_MAJOR PG_UPDATECONTROL=yes DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -d -us -uc -b \
    && dpkg-deb -x ../postgresql-$PG_MAJOR-rag-events_*.deb /package \
    && mv /package/usr/share/postgresql/$PG_MAJOR /package/share \
    && mv /package/usr/lib/postgresql/$PG_MAJOR/lib /package/lib \
    && mv /package/usr/share/doc/postgresql-$PG_MAJOR-rag-events /package/licenses

FROM scratch
COPY --from=package /package/share/extension/ /share/extension/
COPY --from=package /package/lib/ /lib/
COPY --from=package /package/licenses/copyright /licenses/rag_events/
USER 65532:65532
