# The extension alone, out of its Debian package, as an image volume for PostgreSQL
# from 18 on in Kubernetes, in the layout that CloudNativePG mounts:
#
#   docker build -t rag_events:18-trixie -f docker/extension.Dockerfile .
#
# POSTGRES and SUITE have to be those of the image of the servers. In the manifest of a
# CloudNativePG cluster, which then finds the extension itself:
#
#   spec:
#     postgresql:
#       extensions:
#         - name: rag-events
#           image:
#             reference: registry.example/rag_events:18-trixie
#
# Elsewhere, where the image is mounted at /extensions/rag_events, the settings are
# extension_control_path = '$system:/extensions/rag_events/share' and
# dynamic_library_path = '$libdir:/extensions/rag_events/lib'. The tests take the
# files from the package as it is done here, build the image from them by what begins with
# FROM scratch, and start a server with what is in it; but not in the image of POSTGRES.

ARG POSTGRES=18
ARG SUITE=trixie

FROM postgres:${POSTGRES}-${SUITE} AS package
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential debhelper "postgresql-server-dev-$PG_MAJOR" postgresql-common-dev
WORKDIR /src
COPY . .
RUN PG_SUPPORTED_VERSIONS=$PG_MAJOR PG_UPDATECONTROL=yes DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -d -us -uc -b
RUN dpkg-deb -x ../postgresql-$PG_MAJOR-rag-events_*.deb /package \
    && mkdir -p /image/share /image/licenses/rag_events \
    && cp -r /package/usr/share/postgresql/$PG_MAJOR/extension /image/share/ \
    && cp -r /package/usr/lib/postgresql/$PG_MAJOR/lib /image/ \
    && cp /package/usr/share/doc/postgresql-$PG_MAJOR-rag-events/copyright /image/licenses/rag_events/

FROM scratch
COPY --from=package /image/ /
USER 65532:65532
