// Builds the page into dist/, which server.mjs serves.
export default {
  root: 'page',
  build: { outDir: '../dist', emptyOutDir: true, assetsDir: '' },
  esbuild: { jsx: 'automatic' },
};
