//! Which files does a tool of the host execute, or obey, without being asked again? By their names, and by where they lie.

use std::ffi::OsStr;
use std::path::Path;

/// Directories of dependencies and results: large, made anew at will, and executed only by way of what is noted. Repositories
/// are noted in them too: git looks into whatever its index calls a submodule.
const PASSED_OVER: [&str; 5] = ["node_modules", "target", ".venv", "venv", "__pycache__"];

/// Whole names, by what obeys them.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    // Shells, editors and debuggers.
    ".bash_aliases", ".bash_login", ".bash_logout", ".bash_profile", ".bashrc", ".dir-locals-2.el", ".dir-locals.el",
    ".env", ".envrc", ".exrc", ".flaskenv", ".gdbinit", ".ideavimrc", ".irbrc", ".lldbinit", ".nvim.lua", ".nvimrc",
    ".octaverc", ".pdbrc", ".profile", ".pryrc", ".Rprofile", ".vimrc", ".ycm_extra_conf.py", ".zprofile", ".zshenv", ".zshrc",
    "startup.m",
    // Agents.
    ".aider.conf.yml", ".clinerules", ".cursorrules", ".goosehints", ".mcp.json", ".windsurfrules", "AGENTS.md",
    "AGENTS.override.md", "CLAUDE.local.md", "CLAUDE.md", "GEMINI.md", "opencode.json", "opencode.jsonc",
    // Version control and its hooks.
    ".gitattributes", ".gitmodules", ".overcommit.yml", ".pre-commit-config.yaml", ".pre-commit-hooks.yaml", "hgrc",
    // What chooses versions and environments.
    ".mise.local.toml", ".mise.toml", ".node-version", ".nvmrc", ".python-version", ".ruby-version", ".rvmrc",
    ".sdkmanrc", ".tool-versions", "default.nix", "devbox.json", "devenv.nix", "devenv.yaml", "flake.nix",
    "mise.local.toml", "mise.toml", "shell.nix",
    // Continuous integration.
    ".appveyor.yml", ".cirrus.yml", ".drone.yml", ".gitlab-ci.yml", ".goreleaser.yaml", ".goreleaser.yml",
    ".travis.yml", ".woodpecker.yml", "action.yaml", "action.yml", "appveyor.yml", "azure-pipelines.yml",
    "bitbucket-pipelines.yml", "buildspec.yml", "cloudbuild.yaml",
    // Containers and machines.
    "Containerfile", "Dockerfile", "Earthfile", "Procfile", "Tiltfile", "Vagrantfile", "docker-bake.hcl",
    "skaffold.yaml",
    // Runners of tasks.
    ".air.toml", ".justfile", "Justfile", "Makefile.toml", "Taskfile.dist.yaml", "Taskfile.dist.yml", "Taskfile.yaml",
    "Taskfile.yml", "Tupfile", "bacon.toml", "justfile", "magefile.go", "taskfile.yaml", "taskfile.yml",
    // C, C++ and what builds anything.
    ".bazelrc", ".buckconfig", "BSDmakefile", "BUCK", "BUILD", "BUILD.bazel", "CMakeLists.txt", "CMakePresets.json",
    "CMakeUserPresets.json", "GNUmakefile", "MODULE.bazel", "Makefile", "Makefile.am", "Makefile.in", "SConscript",
    "SConstruct", "WORKSPACE", "WORKSPACE.bazel", "autogen.sh", "bootstrap", "bootstrap.sh", "conanfile.py",
    "configure", "configure.ac", "configure.in", "makefile", "meson.build", "pants.toml", "premake5.lua", "waf",
    "wscript", "xmake.lua",
    // JavaScript.
    ".node-gyp", ".npmrc", ".pnp.cjs", ".pnp.loader.mjs", ".pnpmfile.cjs", ".watchmanconfig", ".yarnrc", ".yarnrc.yml",
    "binding.gyp", "bunfig.toml", "deno.json", "deno.jsonc", "lerna.json", "nx.json", "package.json",
    "pnpm-workspace.yaml", "turbo.json",
    // Python.
    ".coveragerc", ".flake8", ".mypy.ini", ".pylintrc", "Pipfile", "conftest.py", "dodo.py", "fabfile.py", "hatch.toml",
    "hatch_build.py", "mypy.ini", "noxfile.py", "pdm.toml", "poetry.toml", "pylintrc", "pyproject.toml", "pytest.ini",
    "requirements.txt", "setup.cfg", "setup.py", "sitecustomize.py", "tasks.py", "tox.ini", "usercustomize.py", "uv.toml",
    // Rust, Go and Zig.
    "Cargo.toml", "Cross.toml", "Trunk.toml", "build.rs", "build.zig", "build.zig.zon", "go.mod", "go.work",
    "rust-toolchain", "rust-toolchain.toml",
    // The JVM.
    ".sdkmanrc", "build.boot", "build.mill", "build.sc", "build.xml", "deps.edn", "gradle.properties", "gradlew",
    "gradlew.bat", "ivy.xml", "mvnw", "mvnw.cmd", "pom.xml", "project.clj", "shadow-cljs.edn",
    // .NET.
    "Directory.Build.rsp", "NuGet.Config", "dotnet-tools.json", "global.json", "nuget.config",
    // Ruby, PHP, Elixir, Haskell, Swift and others.
    ".php-cs-fixer.dist.php", ".php-cs-fixer.php", ".rspec", "Brewfile", "Build.PL", "Capfile", "Dangerfile", "Fastfile",
    "Gemfile", "Guardfile", "Makefile.PL", "Package.swift", "Podfile", "Rakefile", "Setup.hs", "cabal.project",
    "composer.json", "config.nims", "cpanfile", "dub.json", "dub.sdl", "dune", "dune-project", "gems.rb", "mix.exs",
    "package.yaml", "phpunit.xml", "phpunit.xml.dist", "rakefile", "rebar.config", "rebar.config.script", "stack.yaml",
];

/// What names begin with.
#[rustfmt::skip]
const BEGINNINGS: &[&str] = &[
    ".babelrc", ".commitlintrc", ".eslintrc", ".huskyrc", ".lintstagedrc", ".mocharc", ".prettierrc", ".releaserc",
    ".stylelintrc", "Dockerfile.", "Gruntfile.", "Jenkinsfile", "astro.config.", "babel.config.", "commitlint.config.",
    "compose.", "cypress.config.", "docker-compose.", "esbuild.config.", "eslint.config.", "gulpfile.", "jest.config.",
    "karma.conf.", "lefthook", ".lefthook", "lint-staged.config.", "metro.config.", "next.config.", "nuxt.config.",
    "playwright.config.", "postcss.config.", "prettier.config.", "release.config.", "rollup.config.", "rspack.config.",
    "settings.gradle", "stylelint.config.", "svelte.config.", "tailwind.config.", "tsup.config.", "vite.config.",
    "vitest.config.", "vitest.workspace.", "webpack.config.", "wdio.conf.",
];

/// What names end with.
#[rustfmt::skip]
const ENDINGS: &[&str] = &[
    ".bzl", ".cabal", ".cmake", ".code-workspace", ".csproj", ".fsproj", ".gemspec", ".gradle", ".gradle.kts", ".mk",
    ".nimble", ".podspec", ".proj", ".props", ".pth", ".sbt", ".sln", ".slnx", ".sublime-project", ".targets", ".vbproj",
    ".vcxproj",
];

/// Directories in which every file is of that kind.
#[rustfmt::skip]
const DIRECTORIES: &[&str] = &[
    ".buildkite", ".circleci", ".claude", ".codex", ".cursor", ".devcontainer", ".direnv", ".fleet", ".forgejo", ".gemini",
    ".gitea", ".githooks", ".github", ".gitlab", ".husky", ".idea", ".ipython", ".jupyter", ".mvn", ".ropeproject", ".run", ".teamcity", ".vs", ".vscode",
    ".windsurf", ".woodpecker", ".yarn", ".zed", "git-hooks", "githooks", "hooks", "magefiles",
];

/// The same for what begins with the second, directly in the first.
const WITHIN: &[(&str, &str)] = &[
    (".bundle", "config"),
    (".cargo", "config"),
    (".config", "husky"),
    (".config", "mise"),
    (".config", "nextest"),
    ("gradle", "wrapper"),
    // sbt's own version, which it fetches and executes.
    ("project", "build.properties"),
    // Jujutsu's, in `.jj`.
    ("repo", "config.toml"),
];

/// Checkouts of whole projects: what lies in them counts by its own name.
const CHECKOUTS: (&str, &str) = (".claude", "worktrees");

/// Whether this file in a shared tree is one. The tree itself may lie in a directory of such files, or be a file.
pub(crate) fn is_executed(tree: &Path, file: &Path) -> bool {
    let Some(name) = file.file_name() else { return false };
    !is_passed_over(tree, file) && !is_sample(file) && (has_such_a_name(name) || lies_with_such(file))
}

/// Whether files in this directory may be such since they lie there. It may be a link that leads to one.
pub(crate) fn is_place_of_such(tree: &Path, directory: &Path) -> bool {
    let is_named = |name: &OsStr| {
        DIRECTORIES.iter().any(|directory| name == *directory) || WITHIN.iter().any(|(first, _)| name == *first)
    };
    !is_passed_over(tree, directory) && (directory.file_name().is_some_and(is_named) || lies_with_such(directory))
}

/// One of the hooks that git lays into each new repository, and never executes under such a name.
pub(crate) fn is_sample(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("sample"))
}

fn is_passed_over(tree: &Path, path: &Path) -> bool {
    let within = path.strip_prefix(tree).ok().and_then(Path::parent);
    within.is_some_and(|parent| parent.iter().any(|part| PASSED_OVER.iter().any(|directory| part == *directory)))
}

fn has_such_a_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    NAMES.iter().any(|known| bytes == known.as_bytes())
        || BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning.as_bytes()))
        || ENDINGS.iter().any(|ending| bytes.ends_with(ending.as_bytes()))
}

fn lies_with_such(path: &Path) -> bool {
    let mut parts = path.iter().peekable();
    while let (Some(part), Some(next)) = (parts.next(), parts.peek()) {
        let is_checkout = part == CHECKOUTS.0 && *next == CHECKOUTS.1;
        let begins = |beginning: &str| next.as_encoded_bytes().starts_with(beginning.as_bytes());
        if !is_checkout && DIRECTORIES.iter().any(|directory| part == *directory)
            || WITHIN.iter().any(|(first, beginning)| part == *first && begins(beginning))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn among(tree: &str, name: &[u8]) -> bool {
        let tree = Path::new(tree);
        is_executed(tree, &tree.join(OsStr::from_bytes(name)))
    }

    #[test]
    fn names_that_are_not_utf_8_count_by_where_they_lie_and_how_they_end() {
        for name in [&b".github/workflows/\xff.yml"[..], b"\xff.mk", b"\xff/Makefile", b"\xff/.vscode/\xff"] {
            assert!(among("/p", name), "{}", name.escape_ascii());
        }
        assert!(!among("/p", b"src/\xff.rs"));
    }

    #[test]
    fn a_tree_that_lies_among_such_files_or_is_one_counts() {
        for (tree, name) in [
            ("/p/.github/workflows", "ci.yml"),
            ("/p/.cargo", "config.toml"),
            ("/p/gradle", "wrapper/x.jar"),
            ("/p/target/x", "Makefile"),
            ("/p/Makefile", ""),
        ] {
            assert!(among(tree, name.as_bytes()), "{name} in {tree}");
        }
        assert!(!among("/p/.claude/worktrees/w", b"src/main.rs") && among("/p/.claude/worktrees/w", b".claude/x"));
        assert!(!among("/p/notes", b"") && !among("/p/.cargo", b"bin/tool"));
    }

    #[test]
    fn dependencies_and_results_are_passed_over_within_the_tree() {
        for name in ["node_modules/a/package.json", "a/target/Makefile", "hooks/target/x", ".git/hooks/update.sample"] {
            assert!(!among("/p", name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_common_tools_execute_is_known() {
        for name in "docker-compose.yaml compose.yml Containerfile .mvn/jvm.config gradle/wrapper/gradle-wrapper.jar \
                     rust-toolchain vite.config.ts eslint.config.mjs webpack.config.js jest.config.ts gulpfile.js \
                     setup.cfg shell.nix default.nix MODULE.bazel BUILD .zed/tasks.json .run/x.xml .lldbinit .exrc \
                     .dir-locals.el Directory.Build.props app/a.csproj mix.exs build.sbt Vagrantfile Pipfile go.work \
                     Taskfile.yaml .ropeproject/config.py .octaverc .ipython/profile_default/startup/a.py BSDmakefile \
                     .jupyter/jupyter_notebook_config.py project/build.properties .direnv/x .air.toml CLAUDE.md AGENTS.md .eslintrc.js lefthook.yml settings.gradle build.gradle.kts"
            .split_whitespace()
        {
            assert!(among("/p", name.as_bytes()), "{name}");
        }
    }
}
