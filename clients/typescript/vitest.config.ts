import { defineConfig } from "vitest/config";

const real = { globalSetup: ["test/e2e/setup.ts"], testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
      { test: { name: "package", include: ["test/package/**/*.test.ts"] } },
      { test: { name: "e2e", include: ["test/{e2e,browser,docs}/**/*.test.ts"], ...real } },
    ],
  },
});
