"""`python -m tools.codegen`: regenerates everything that is generated and committed."""

from tools.codegen.protos import GENERATED, generate

if __name__ == "__main__":
    generate(GENERATED)
