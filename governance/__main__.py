"""The console command `governance`."""

from governance.commands import main

if __name__ == "__main__":
    main()
